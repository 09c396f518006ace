"""The machine's own name resolves, and at once.

The JVM looks it up as a broker and a client start (``InetAddress.getLocalHost`` in ``BrokerConfig`` and
``UtilAll``); where that hangs on a name server, so does the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, ok, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import TIMED_OUT, Answer

SUMMARY = "The machine's own name resolves at once; a JVM looks it up as it starts."
WANTED = "its own name resolves at once"
_SCRIPT: Final = """
name=$(uname -n)
printf '%s ' "$name"
found=$(timeout 2 getent ahostsv4 "$name") || exit
printf '%s\\n' "${found%% *}"
"""


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Look the name up."""
    yield Command.shell(_SCRIPT)


def judge(_machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Say what it resolves to."""
    name, _, address = answers[0].output.strip().partition(" ")
    if answers[0].ok and address:
        yield ok(f"{name} is {address}", WANTED)
    else:
        how = "does not resolve within 2 s" if answers[0].code == TIMED_OUT else "does not resolve"
        yield warning(f"{name or 'its name'} {how}", WANTED, "Put the name and its address into /etc/hosts")

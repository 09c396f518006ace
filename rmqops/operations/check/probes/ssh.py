"""The machine lets us in and is the one that we know.

A machine that does not is told of by :mod:`rmqops.operations.check` itself, with what the transport said: every
other probe needs a machine that answers.
"""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, ok, unknown
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "The machine can be reached, its host key is known, and a login runs commands."
WANTED = "reachable, a known host key, a login that runs commands"


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask for the machine's own name."""
    if not machine.local:
        yield Command(("uname", "-n"))


def judge(_machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Say who answered."""
    for answer in answers:
        if answer.ok:
            yield ok(f"it calls itself {answer.output.strip()}", WANTED)
        else:
            yield unknown("`uname -n` did not run", WANTED, "Try it by hand, with ssh")

"""Linux, on an architecture for which a 64-bit Java exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, failed, ok
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "Linux on a 64-bit architecture: the scripts read /proc, and a broker maps more than 4 GiB."
WANTED = "Linux, 64 bit"
BITS: Final = ("x86_64", "aarch64", "ppc64le", "s390x", "riscv64", "loongarch64")

_SCRIPT: Final = """
uname -s -m
. /etc/os-release && printf '%s\\n' "$PRETTY_NAME"
"""


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask for kernel, architecture and distribution."""
    yield Command.shell(_SCRIPT)


def judge(_machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Hold them against what is supported."""
    lines = [*answers[0].lines, "", ""]
    kernel, _, architecture = lines[0].partition(" ")
    found = f"{lines[1] or kernel or 'nothing'}, {architecture}"
    if kernel != "Linux" or architecture not in BITS:
        yield failed(found, WANTED, "Use another machine")
    else:
        yield ok(found, WANTED)

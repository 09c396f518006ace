"""Swap: a JVM whose heap is swapped out stops for seconds as it collects garbage."""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.model.commands import Command
from rmqops.model.rules.memory import size_text
from rmqops.operations.check.probes import Finding, Survey, ok, unknown, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "No swap: a heap that is swapped out makes pauses in which a group elects another master."
WANTED = "no swap"


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask the kernel what it swaps to."""
    yield Command(("cat", "/proc/swaps"))


def judge(_machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Add up what there is."""
    if not answers[0].ok:
        yield unknown("/proc/swaps cannot be read", WANTED, "Look with `swapon --show`")
        return
    rows = [line.split() for line in answers[0].lines[1:] if line.strip()]
    if not rows:
        yield ok("none", WANTED)
        return
    total = sum(int(row[-3]) for row in rows) << 10
    used = sum(int(row[-2]) for row in rows) << 10
    remedy = "`swapoff -a` and take it out of /etc/fstab while nothing runs; at the least set vm.swappiness to 1"
    yield warning(f"{size_text(total)}, {size_text(used)} of it used", WANTED, remedy)

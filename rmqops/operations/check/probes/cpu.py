"""Cores: a broker flushes, replicates and serves at once, and collects garbage beside."""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, ok, unknown, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "Two cores or more for each broker; with one, an election can be missed while garbage is collected."
PER_BROKER = 2


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask for the cores that a process may use."""
    yield Command(("nproc",))


def judge(machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Hold them against the number of brokers."""
    need = max(1, PER_BROKER * len(machine.brokers))
    wanted = f"{need} for {len(machine.instances)} instance{'s' if len(machine.instances) > 1 else ''}"
    text = answers[0].output.strip()
    if not text.isdecimal():
        yield unknown("nproc says nothing", wanted, "Look with `nproc`")
    elif int(text) < need:
        yield warning(text, wanted, "Use a larger machine, or fewer brokers on it")
    else:
        yield ok(text, wanted)

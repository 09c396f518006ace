"""Whoever must become root can; whoever runs systemd units is root.

A machine where sudo does not work is told of by :mod:`rmqops.operations.check` itself, with what sudo said.
"""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, failed, ok
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "Commands run as the user that the inventory wants; units of the system need root."
WANTED = "ansible_become works"


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask who runs the commands."""
    if machine.become or _needs_root(machine):
        yield Command(("id", "-un"))


def judge(machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Hold the user against the one that is needed."""
    for answer in answers:
        user = answer.output.strip() or "nobody known"
        root = _needs_root(machine)
        wanted = "root, for systemd units" if root else WANTED
        if root and user != "root":
            remedy = "Set ansible_become: true, or rocketmq_supervisor: detached, which needs no root"
            yield failed(f"commands run as {user}", wanted, remedy)
        else:
            yield ok(f"commands run as {user}", wanted)


def _needs_root(machine: Machine) -> bool:
    return any(instance.supervisor == "systemd" for instance in machine.instances)

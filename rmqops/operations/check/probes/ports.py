"""Every port of an instance is free, or held by the instance itself.

A port that the kernel may give to an outgoing connection can be taken at the moment a broker wants it; DLedger's
40911 lies in Linux's own range for that, 32768 to 60999.
"""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown
from rmqops.operations.hosts import facts
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer
from rmqops.operations.plan.plan import ports

SUMMARY = "Every port of every instance is free or held by that instance; who holds it otherwise is named."


def wait(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask nothing in the first round, with which the state of the instances comes: where anybody listens."""
    yield from ()


def ask(machine: Machine, survey: Survey) -> Iterator[Command]:
    """Ask who listens on those of the ports where anybody does."""
    held = [port for item in machine.instances for port in _held(item, survey)]
    if held:
        yield facts.owners_question(held)


ROUNDS = (wait, ask)


def judge(machine: Machine, answers: tuple[Answer, ...], survey: Survey) -> Iterator[Finding]:
    """Hold the listeners against the processes of our instances."""
    owners = facts.parse_owners("".join(answer.output for answer in answers))
    for item in machine.instances:
        numbers = ", ".join(str(port) for _, port in ports(item))
        wanted = "free, or held by the instance"
        complete = all(answer.ok for answer in answers) and (answers or not _held(item, survey))
        if item.name not in survey.facts or not complete:
            yield unknown("not found out", wanted, "Look with `ss -ltnp`", subject=item.name)
            continue
        pid = survey.facts[item.name].pid
        foreign = [
            (what, port, owners[port])
            for what, port in ports(item)
            if port in owners and not _ours(owners[port], pid)
        ]
        for what, port, owner in foreign:
            remedy = f"End it, or choose another port for {item.name}"
            yield failed(f"{what} {port} is taken by {owner}", wanted, remedy, subject=item.name)
        if not foreign:
            held = any(port in owners for _, port in ports(item))
            yield ok(f"{numbers} {'held by it' if held else 'free'}", wanted, subject=item.name)


def _held(instance: Instance, survey: Survey) -> list[int]:
    """Return the ports of an instance on which something listened as its state was asked for."""
    state = survey.facts.get(instance.name)
    return [port for _, port in ports(instance) if state is not None and port in state.listening]


def _ours(owner: str, pid: int | None) -> bool:
    """Tell whether the instance's process holds it; one that only root may see is its own while it runs."""
    return pid is not None and (owner.startswith(f"pid {pid} ") or not owner.startswith("pid "))

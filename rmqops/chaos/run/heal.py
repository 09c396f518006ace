"""End what a drill left behind: from its journal, or from the hosts alone. May be run any number of times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.run import journal
from rmqops.chaos.run.environment import REAL, Environment
from rmqops.chaos.run.journal import Journal, JournalEntry, JournalState, JournalStep
from rmqops.errors import OperationFailed, RemotingError, RmqopsError, UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance, Topology
from rmqops.operations.topics import consumer_groups, topics
from rmqops.system import parallel
from rmqops.transport.base import Transports, check, transport_for

TIMEOUT = 180.0
"""Seconds for one heal: the longest is a start of a broker."""


@dataclass(frozen=True)
class HealedFault:
    """One thing that was in the way, and what came of it."""

    what: str
    """The fault's id, or the topic."""
    where: str
    """The instance, or the cluster."""
    error: str | None = None
    """Why it is still there."""


def heal(topology: Topology, run: Path | None, environment: Environment = REAL) -> tuple[HealedFault, ...]:
    """Heal every fault that is armed on a host of the cluster and, given a run, everything its journal left open.

    Raises:
        UsageError: ``run`` has no journal.
        OperationFailed: a host could not be asked, or the journal is no journal.
    """
    entries = _entries(run, topology) if run is not None else ()
    transports = environment.transports
    healed = [
        _cure(instance, fault, deadman.fire(instance, fault, TIMEOUT), transports)
        for instance, fault in armed(topology, transports)
    ]
    if run is not None:
        with Journal(run) as log:
            for item in healed:
                _write(log, item, "healed")
            healed += _from_journal(topology, entries, {item.what for item in healed}, log, environment)
    return tuple(healed)


def armed(topology: Topology, transports: Transports = transport_for) -> tuple[tuple[Instance, str], ...]:
    """Return the id of every fault whose heal lies armed, with its instance.

    Raises:
        OperationFailed: a host could not be asked.
    """

    def ask(instance: Instance) -> list[tuple[Instance, str]]:
        transport = transports(instance)
        answer = check(transport.run(deadman.armed(instance)), transport.host)
        return [(instance, name) for name in answer.stdout.split()]

    return tuple(fault for answer in parallel.mapped(ask, topology.instances) for fault in answer)


def _entries(run: Path, topology: Topology) -> tuple[JournalEntry, ...]:
    entries = journal.read(run)
    clusters = {entry.note for entry in entries if entry.step == "run" and entry.state == "intent"}
    if not clusters <= {topology.cluster}:
        raise UsageError(
            f"{run} is a run against {', '.join(sorted(map(str, clusters)))}, not {topology.cluster}",
            remedy="name the inventory that the drill was run with",
        )
    return entries


def _from_journal(
    topology: Topology, entries: tuple[JournalEntry, ...], known: set[str], log: Journal, environment: Environment
) -> Iterator[HealedFault]:
    for entry in _open_faults(entries):
        if entry.fault in known or entry.command is None:
            continue
        instance = topology.instance(str(entry.instance))
        cure = Command(entry.command, timeout=TIMEOUT)
        item = _cure(instance, str(entry.fault), cure, environment.transports)
        _write(log, item, "healed")
        yield item
    for topic in _open_topics(entries):
        try:
            environment.run(_delete(topology, topic, environment))
        except (RemotingError, OperationFailed) as error:
            item = HealedFault(topic, topology.cluster, str(error))
        else:
            item = HealedFault(topic, topology.cluster)
        _write(log, item, "untopic")
        yield item


async def _delete(topology: Topology, topic: str, environment: Environment) -> None:
    async with environment.clients() as client:
        await consumer_groups.delete(topology, client, topic)
        await topics.delete(topology, client, topic)


def _open_faults(entries: tuple[JournalEntry, ...]) -> list[JournalEntry]:
    """Return the heal plan of each fault that may be in force: injected, and not seen healed."""
    plans = {entry.fault: entry for entry in entries if entry.step == "heal-plan"}
    healed = {entry.fault for entry in entries if entry.step == "healed" and entry.state == "done"}
    injected = {entry.fault for entry in entries if entry.step == "inject"}
    return [plan for fault, plan in plans.items() if fault in injected - healed]


def _open_topics(entries: tuple[JournalEntry, ...]) -> list[str]:
    made = dict.fromkeys(entry.note for entry in entries if entry.step == "topic" and entry.note)
    gone = {entry.note for entry in entries if entry.step == "untopic" and entry.state == "done"}
    return [topic for topic in made if topic not in gone]


def _cure(instance: Instance, fault: str, cure: Command, transports: Transports) -> HealedFault:
    """Run a heal; disarm it only when it has healed, so that the dead-man goes on trying otherwise."""
    transport = transports(instance)
    try:
        check(transport.run(cure), transport.host)
        check(transport.run(deadman.disarm(instance, fault)), transport.host)
    except RmqopsError as error:
        return HealedFault(fault, instance.name, "\n".join(filter(None, (error.message, error.detail))))
    return HealedFault(fault, instance.name)


def _write(log: Journal, item: HealedFault, step: JournalStep) -> None:
    state: JournalState = "failed" if item.error else "done"
    if step == "untopic":
        log.write(JournalEntry(step, state, note=item.error or item.what))
    else:
        log.write(JournalEntry(step, state, item.what, instance=item.where, note=item.error))

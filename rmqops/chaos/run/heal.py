"""End what a drill left behind: from its journal, or from the hosts alone. May be run any number of times.

It does not take the cluster's lock: it ends what is in force, also while the lock of a drill that died is still
held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqops.chaos.drill import Drill
from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.run import journal, open_faults
from rmqops.chaos.run.environment import REAL, Environment
from rmqops.chaos.run.journal import Journal, JournalEntry, JournalState, JournalStep
from rmqops.chaos.run.open_faults import Unexplained
from rmqops.errors import HealFailed, HostUnreachable, OperationFailed, RemotingError, RmqopsError, UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance, Topology
from rmqops.operations.hosts.machines import Machine, machines
from rmqops.operations.topics import consumer_groups, topics
from rmqops.system import parallel
from rmqops.system.progress import Say
from rmqops.transport.base import Transport, Transports, check, transport_for

TIMEOUT = 180.0
"""Seconds for one heal: the longest is a start of a broker."""
UNASKED = "whatever is armed"
"""What may be in the way on a host that could not be asked."""


@dataclass(frozen=True)
class HealedFault:
    """One thing that was in the way, and what came of it."""

    what: str
    """The fault's id, or the topic; :data:`UNASKED` where the host did not say."""
    where: str
    """The instance, or the cluster."""
    error: str | None = None
    """Why it is still there."""


def heal(
    topology: Topology,
    run: Path | None,
    environment: Environment = REAL,
    *,
    only: Sequence[Instance] = (),
    forget: bool = False,
) -> tuple[HealedFault, ...]:
    """Heal every fault that is armed on a host of the cluster and, given a run, everything its journal left open.

    All machines are healed side by side; one that cannot be asked is named and does not keep the others from it.

    Args:
        topology: The cluster.
        run: A run's directory.
        environment: How hosts and brokers are reached.
        only: The instances that it is about; all, and the run's topics, when there is none.
        forget: Whether a heal that fails is disarmed all the same, so that it does not forbid changes any more.

    Raises:
        UsageError: ``run`` has no journal, or is one against another cluster.
        OperationFailed: the journal is no journal.
    """
    entries = _entries(run, topology) if run is not None else ()
    chosen = tuple(only) or topology.instances
    healed = [
        item
        for answer in parallel.mapped(
            lambda machine: _on(machine, environment.transports, forget), machines(chosen)
        )
        for item in answer
    ]
    if run is not None:
        with Journal(run) as log:
            for item in healed:
                if item.what != UNASKED:
                    _write(log, item, "healed")
            for item in _from_journal(topology, run, entries, chosen, healed, environment):
                healed.append(item)
                _write(log, item, "healed")
            for item in _topics(topology, run, entries, environment) if not only else ():
                healed.append(item)
                _write(log, item, "untopic")
    return tuple(healed)


def require(healed: Sequence[HealedFault]) -> None:
    """Make sure that nothing is left.

    Raises:
        HealFailed: something is; names it, and why.
    """
    failed = [item for item in healed if item.error]
    if failed:
        raise HealFailed(
            f"{len(failed)} of {len(healed)} could not be healed",
            detail="\n".join(f"{item.what} on {item.where}: {item.error}" for item in failed),
            remedy="mend what it says and run rmqops chaos heal again",
        )


def end_faults(topology: Topology, instances: Sequence[Instance], say: Say) -> None:
    """Heal every fault that is armed for some instances, and say so; for who removes them.

    Raises:
        HealFailed: one may still be in force.
    """
    healed = heal(topology, None, only=instances)
    for item in healed:
        if not item.error:
            say(f"healed {item.what} on {item.where}")
    require(healed)


def armed(topology: Topology, transports: Transports = transport_for) -> tuple[tuple[Instance, str], ...]:
    """Return the id of every fault whose heal lies armed, with its instance.

    Raises:
        OperationFailed: a host could not be asked.
    """
    answers = parallel.mapped(lambda instance: (instance, _armed(instance, transports)), topology.instances)
    return tuple((instance, fault) for instance, names in answers for fault in names)


def _armed(instance: Instance, transports: Transports) -> list[str]:
    transport = transports(instance)
    return check(transport.run(deadman.armed(instance)), transport.host).stdout.split()


def _on(machine: Machine, transports: Transports, forget: bool) -> list[HealedFault]:
    """Heal what is armed for the instances of one machine."""
    healed: list[HealedFault] = []
    for number, instance in enumerate(machine.instances):
        try:
            names = _armed(instance, transports)
        except HostUnreachable as error:  # nor would it answer for the others
            return [*healed, *(HealedFault(UNASKED, item.name, str(error)) for item in machine.instances[number:])]
        except RmqopsError as error:
            healed.append(HealedFault(UNASKED, instance.name, _reason(error)))
            continue
        for name in names:
            error_ = _cure(
                instance, deadman.path(instance, name), deadman.fire(instance, name, TIMEOUT), transports
            )
            if error_ and forget:
                error_ = f"{_forgotten(instance, name, transports)}; {error_}"
            healed.append(HealedFault(name, instance.name, error_))
    return healed


def _forgotten(instance: Instance, fault: str, transports: Transports) -> str:
    transport = transports(instance)
    try:
        check(transport.run(deadman.disarm(instance, fault)), transport.host)
    except RmqopsError as error:
        return f"it could not be disarmed ({_reason(error)})"
    return "it was disarmed, and what it would have ended is yours to end"


def _entries(run: Path, topology: Topology) -> tuple[JournalEntry, ...]:
    entries = journal.read(run)
    clusters = {entry.note for entry in entries if entry.step == "run" and entry.state == "intent"}
    if clusters != {topology.cluster}:
        named = ", ".join(sorted(map(str, clusters))) or "no cluster that it names"
        raise UsageError(
            f"{run} is a run against {named}, not {topology.cluster}",
            remedy="name the inventory that the drill was run with",
        )
    return entries


def _from_journal(
    topology: Topology,
    run: Path,
    entries: tuple[JournalEntry, ...],
    chosen: Sequence[Instance],
    healed: Sequence[HealedFault],
    environment: Environment,
) -> Iterator[HealedFault]:
    """Heal what the journal says may be in force and no host has armed any more."""
    done = {item.what for item in healed}
    away = {item.where for item in healed if item.what == UNASKED}
    others = {instance.name for instance in topology.instances} - {instance.name for instance in chosen}
    open_ = [
        item for item in open_faults.faults_in(entries) if item.fault not in done and item.instance not in others
    ]
    drill = _drill(run) if open_ else ""
    for entry in open_:
        fault, where = str(entry.fault), str(entry.instance)
        if isinstance(drill, str):
            yield HealedFault(fault, where, drill)
        elif not open_faults.is_fault(entry.fault, drill):
            yield HealedFault(
                fault, where, f"it is no fault of a run of drill {drill.name}; nothing was run for it"
            )
        elif where in away:
            yield HealedFault(fault, where, "its host could not be asked")
        else:
            yield HealedFault(fault, where, _explained(topology, drill, entry, environment.transports))


def _explained(topology: Topology, drill: Drill, entry: JournalEntry, transports: Transports) -> str | None:
    """End a fault, as drill and inventory say it ends; else as a host says on which it lies armed elsewhere."""
    fault = str(entry.fault)
    try:
        cure = open_faults.explained(entry, drill, topology)
    except Unexplained as reason:
        found = _found(topology, fault, transports)
        if not found:
            return (
                f"{reason}; nothing was run for it: heal it with the inventory and the rmqops of then; its host "
                "heals itself at the deadline, by heals/*.sh in the directory that the instance had"
            )
        errors = [_cure(instance, path, deadman.fire_at(path, TIMEOUT), transports) for instance, path in found]
        return "\n".join(filter(None, errors)) or None
    command = Command(cure.command.argv, timeout=TIMEOUT)
    return _cure(cure.instance, deadman.path(cure.instance, fault), command, transports)


def _found(topology: Topology, fault: str, transports: Transports) -> list[tuple[Instance, str]]:
    """Return where a heal lies armed by what the hosts' own processes say, with an instance of each host."""

    def ask(machine: Machine) -> list[tuple[Instance, str]]:
        instance = machine.instances[0]
        try:
            answer = transports(instance).run(deadman.find(fault))
        except RmqopsError:
            return []
        return [(instance, path) for path in answer.stdout.splitlines()] if answer.ok else []

    return [found for answer in parallel.mapped(ask, machines(topology.instances)) for found in answer]


def _topics(
    topology: Topology, run: Path, entries: tuple[JournalEntry, ...], environment: Environment
) -> Iterator[HealedFault]:
    names = open_faults.topics_in(entries)
    drill = _drill(run) if names else ""
    for topic in names:
        error: str | None = None
        if isinstance(drill, str):
            error = drill
        elif not open_faults.is_topic(topic, drill):
            error = f"it is no topic of a run of drill {drill.name}; it was not deleted"
        else:
            try:
                environment.run(_delete(topology, topic, environment))
            except (RemotingError, OperationFailed) as problem:
                error = str(problem)
        yield HealedFault(topic, topology.cluster, error)


def _drill(run: Path) -> Drill | str:
    """Return a run's drill, or why there is none to explain its journal by."""
    try:
        return open_faults.drill_of(run)
    except RmqopsError as error:
        return f"nothing was done for it, since the run's own drill cannot be read: {_reason(error)}"


async def _delete(topology: Topology, topic: str, environment: Environment) -> None:
    async with environment.clients() as client:
        await consumer_groups.delete(topology, client, topic)
        await topics.delete(topology, client, topic)


def _cure(instance: Instance, path: str, cure: Command, transports: Transports) -> str | None:
    """Run a heal, and return why it failed; disarm it only when it has healed: the dead-man goes on trying."""
    try:
        transport: Transport = transports(instance)
        check(transport.run(cure), transport.host)
        check(transport.run(deadman.disarm_at(path)), transport.host)
    except RmqopsError as error:
        return _reason(error)
    return None


def _reason(error: RmqopsError) -> str:
    return "\n".join(filter(None, (error.message, error.detail)))


def _write(log: Journal, item: HealedFault, step: JournalStep) -> None:
    state: JournalState = "failed" if item.error else "done"
    if step == "untopic":
        log.write(JournalEntry(step, state, note=item.error or item.what))
    else:
        log.write(JournalEntry(step, state, item.what, instance=item.where, note=item.error))

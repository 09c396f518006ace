"""What a deploy would do: the difference between the inventory and the hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rmqops.errors import PreflightFailed
from rmqops.model.topology import Instance, Topology
from rmqops.operations.hosts import facts
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.plan import drift, trees
from rmqops.render import files
from rmqops.transport.base import Transport, transport_for

Action = Literal["create", "start", "restart", "none"]


@dataclass(frozen=True)
class InstanceChange:
    """What would be done to one instance."""

    instance: Instance
    action: Action
    files: tuple[str, ...]
    """Files that are missing, differ or are too many."""
    carried: tuple[str, ...]
    """The release and the Java runtime that must be brought in, as far as they are not there."""
    found: Facts
    """What is on the host."""
    drift: tuple[str, ...] = ()
    """What somebody changed on the host since it was deployed."""

    @property
    def needed(self) -> bool:
        """Whether anything is to be done."""
        return self.action != "none" or bool(self.files) or bool(self.carried)


@dataclass(frozen=True)
class Plan:
    """What would be done to a cluster."""

    changes: tuple[InstanceChange, ...]

    @property
    def needed(self) -> tuple[InstanceChange, ...]:
        """The instances to which something is to be done."""
        return tuple(change for change in self.changes if change.needed)

    def of(self, action: Action) -> tuple[Instance, ...]:
        """The instances to which that is to be done."""
        return tuple(change.instance for change in self.changes if change.action == action)


def plan(
    topology: Topology,
    instances: Sequence[Instance],
    release: str | None,
    java: str | None = None,
    transports: Callable[[Instance], Transport] = transport_for,
) -> Plan:
    """Compare the inventory with the hosts.

    Args:
        topology: What is wanted.
        instances: Those that it is about.
        release: Name of the built release; None when it is not built yet.
        java: Name of the Java runtime that goes with it; None when there is none.
        transports: How hosts are reached.

    Raises:
        PreflightFailed: a directory belongs to another cluster, or a port to another process.
    """
    found = facts.gather(instances, transports)
    changes = tuple(_change(instance, found[instance.name], release, java) for instance in instances)
    obstacles = list(_obstacles(topology, changes, found, transports))
    if obstacles:
        raise PreflightFailed(
            "the cluster cannot be deployed as it is",
            detail="\n".join(obstacles),
            remedy="mend these and try again",
        )
    return Plan(changes)


def _change(instance: Instance, found: Facts, release: str | None, java: str | None) -> InstanceChange:
    tree = trees.tree(instance)
    wanted = files.fingerprints(tree)
    differing = tuple(drift.differing_files(found, wanted))
    carried = tuple(_missing(instance, found, release, java))
    unit = wanted[drift.UNIT][1] if instance.supervisor != "detached" else None
    if found.mark is None:
        action: Action = "create"
    elif not found.alive:
        action = "start"
    elif differing or carried or found.running != found.tree or found.on != found.release or found.unit != unit:
        action = "restart"
    else:
        action = "none"
    return InstanceChange(instance, action, differing, carried, found, tuple(drift.on_host(found, wanted)))


def _missing(instance: Instance, found: Facts, release: str | None, java: str | None) -> Iterator[str]:
    """Yield what an instance needs and its machine lacks; what is not built is only told by its version."""
    if release is None:
        if found.release is None:
            yield f"rocketmq-{instance.text('rocketmq_version')}"
    elif found.release != release:
        yield release
    if instance.bundles_java and (found.java is None or java not in {None, found.java}):
        yield java or "java"


def _obstacles(
    topology: Topology,
    changes: tuple[InstanceChange, ...],
    found: Mapping[str, Facts],
    transports: Callable[[Instance], Transport],
) -> Iterator[str]:
    for change in changes:
        instance, state = change.instance, found[change.instance.name]
        mark = f"{topology.cluster}/{instance.name}"
        if state.mark not in {None, mark}:
            yield f"{instance.name}: {instance.home} on {instance.host} belongs to {state.mark}"
        if state.alive:
            continue
        for what, port in ports(instance):
            if port in state.listening:
                by = facts.owner(instance, port, transports)
                yield f"{instance.name}: {what} {port} on {instance.host} is taken by {by}"


def ports(instance: Instance) -> Iterator[tuple[str, int]]:
    """Yield every port that an instance listens on, with what it is for."""
    yield "port", instance.port
    if instance.kind == "broker":
        yield "fast remoting port", instance.port - 2
        if instance.variables["rocketmq_mode"] == "dledger":
            yield "DLedger port", instance.number("rocketmq_dledger_port")
        else:
            yield "replication port", instance.port + 1

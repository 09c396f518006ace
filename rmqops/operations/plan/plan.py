"""What a deploy would do: the difference between the inventory and the hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rmqops.errors import PreflightFailed
from rmqops.model.topology import Instance, Topology
from rmqops.operations.hosts import directories
from rmqops.operations.hosts.facts import Facts, HostSurvey, port_owner
from rmqops.operations.plan import drift, jvm_start, trees
from rmqops.render import files
from rmqops.transport.base import Transports, transport_for

Action = Literal["create", "start", "restart", "none"]


@dataclass(frozen=True)
class InstanceChange:
    """What would be done to one instance."""

    instance: Instance
    action: Action
    files: tuple[str, ...]
    """Files that are missing, differ or are too many."""
    missing_archives: tuple[str, ...]
    """The release and the Java runtime that must be brought in, as far as they are not there."""
    facts: Facts
    """What is on the host."""
    directories: tuple[str, ...] = ()
    """What has another owner or mode than it should, or no mark, a sentence each."""
    fingerprints: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Mode and SHA-256 of each file of its tree as the inventory has it."""

    @property
    def pending(self) -> bool:
        """Whether anything is to be done."""
        return self.action != "none" or bool(self.files or self.missing_archives or self.directories)

    @property
    def drift(self) -> tuple[str, ...]:
        """What somebody changed on the host since it was deployed."""
        return tuple(drift.on_host(self.facts, self.fingerprints))

    def __str__(self) -> str:
        parts: list[str] = [] if self.action == "none" else [self.action]
        if self.files and self.action != "create":
            parts.append(f"files {', '.join(self.files)}")
        parts += [f"brings {name}" for name in self.missing_archives]
        parts += [f"mends {text}" for text in self.directories]
        return "; ".join(parts) or "nothing"


@dataclass(frozen=True)
class Plan:
    """What would be done to some instances of a cluster."""

    changes: tuple[InstanceChange, ...]
    """Every instance that it is about, also those to which nothing is to be done."""

    @property
    def pending(self) -> tuple[InstanceChange, ...]:
        """The instances to which something is to be done."""
        return tuple(change for change in self.changes if change.pending)

    @property
    def steps(self) -> tuple[str, ...]:
        """A sentence for each of them."""
        return tuple(f"{change.instance.name}: {change}" for change in self.pending)

    def instances_to(self, action: Action) -> tuple[Instance, ...]:
        """Return the instances with an action."""
        return tuple(change.instance for change in self.changes if change.action == action)


def plan(
    topology: Topology,
    instances: Sequence[Instance],
    survey: HostSurvey,
    release: str | None,
    java: str | None = None,
    transports: Transports = transport_for,
) -> Plan:
    """Compare the inventory with the hosts.

    Args:
        topology: The cluster as the inventory has it.
        instances: Those that it is about.
        survey: What their hosts said.
        release: Name of the built release; None when it is not built yet.
        java: Name of the Java runtime that goes with it; None when there is none.
        transports: How a host is reached on which a port is taken, to ask by whom.

    Raises:
        PreflightFailed: a directory belongs to somebody else, a port to another process, or a JVM does not start.
        RmqopsError: a host could not be asked.
    """
    facts = survey.required(instances)
    changes = tuple(_change(instance, facts[instance.name], release, java) for instance in instances)
    obstacles = [*_obstacles(topology, changes, transports), *_jvms(changes, transports)]
    if obstacles:
        raise PreflightFailed(
            "the cluster cannot be deployed as it is",
            detail="\n".join(obstacles),
            remedy="mend these and try again",
        )
    return Plan(changes)


def _change(instance: Instance, facts: Facts, release: str | None, java: str | None) -> InstanceChange:
    fingerprints = files.fingerprints(trees.tree(instance))
    differing = tuple(drift.differing_files(facts, fingerprints))
    missing = tuple(_missing_archives(instance, facts, release, java))
    unit = fingerprints[drift.UNIT][1] if instance.supervisor != "detached" else None
    if facts.mark is None:
        action: Action = "create"
    elif not facts.alive:
        action = "start"
    elif differing or missing or facts.running != facts.tree or facts.on != facts.release or facts.unit != unit:
        action = "restart"
    else:
        action = "none"
    mends: tuple[str, ...] = ()
    if action != "create":
        mends = (*directories.deviations(instance, facts.directories, facts.deployer), *facts.odd)
    return InstanceChange(instance, action, differing, missing, facts, mends, fingerprints)


def _missing_archives(instance: Instance, facts: Facts, release: str | None, java: str | None) -> Iterator[str]:
    """Yield what an instance needs and its machine lacks; what is not built is only told by its version."""
    if release is None:
        if facts.release is None:
            yield f"rocketmq-{instance.text('rocketmq_version')}"
    elif facts.release != release:
        yield release
    if instance.bundles_java and (facts.java is None or java not in {None, facts.java}):
        yield java or "java"


def _obstacles(topology: Topology, changes: Sequence[InstanceChange], transports: Transports) -> Iterator[str]:
    for change in changes:
        instance, facts = change.instance, change.facts
        mark = f"{topology.cluster}/{instance.name}"
        for what, remedy in directories.obstacles(instance, mark, facts.directories, facts.deployer):
            yield f"{instance.name} on {instance.host}: {what}. {remedy}"
        if facts.alive:
            continue
        for purpose, port in ports(instance):
            if port in facts.listening:
                owner = port_owner(instance, port, transports)
                yield f"{instance.name}: {purpose} {port} on {instance.host} is taken by {owner}"


def _jvms(changes: Sequence[InstanceChange], transports: Transports) -> Iterator[str]:
    """Yield the JVMs that would not start; one whose Java the deploy brings in is not tried."""
    starting = [change.instance for change in changes if change.action != "none" and not _brings_java(change)]
    for start in jvm_start.tried(starting, transports):
        missing = start.absent and start.instances[0].text("rocketmq_java") == "package"
        if start.trouble and not start.inconclusive and not missing:
            names = ", ".join(instance.name for instance in start.instances)
            yield f"{names}: no JVM starts on {start.instances[0].host}: {start.trouble}"


def _brings_java(change: InstanceChange) -> bool:
    return change.instance.bundles_java and any(
        not name.startswith("rocketmq-") for name in change.missing_archives
    )


def ports(instance: Instance) -> Iterator[tuple[str, int]]:
    """Yield every port that an instance listens on, with what it is for."""
    yield "port", instance.port
    if instance.kind == "broker":
        yield "fast remoting port", instance.port - 2
        if instance.variables["rocketmq_mode"] == "dledger":
            yield "DLedger port", instance.number("rocketmq_dledger_port")
        else:
            yield "replication port", instance.port + 1

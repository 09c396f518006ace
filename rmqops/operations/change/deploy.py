"""Bring a cluster to what its inventory says, and not return before it is healthy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqops.errors import Unsafe
from rmqops.model.topology import Instance, Topology, Value
from rmqops.operations.change import lifecycle, playbook
from rmqops.operations.change.playbook import Listener
from rmqops.operations.inventories import Loaded
from rmqops.operations.observe import canary, health
from rmqops.operations.observe.status import Status
from rmqops.operations.plan import mastership, trees
from rmqops.operations.plan.plan import Plan, plan
from rmqops.source.artifacts import Artifact

Say = Callable[[str], None]


@dataclass(frozen=True)
class Deployed:
    """What a deploy did."""

    changed: tuple[str, ...]
    """Instances to which something was done."""
    status: Status


def refuse_sample(loaded: Loaded) -> None:
    """Refuse an inventory that was not filled in.

    Raises:
        Unsafe: it has addresses that are reserved for documentation.
    """
    if loaded.placeholders:
        raise Unsafe(
            f"{loaded.location} is a sample: it has addresses that are reserved for documentation",
            detail="\n".join(str(problem) for problem in loaded.placeholders),
            remedy="copy the inventory and put in your own addresses",
        )


def prepare(topology: Topology, instances: Sequence[Instance], artifact: Artifact) -> Plan:
    """Find out what there is to do to some instances, touching nothing.

    Raises:
        PreflightFailed: something is in the way.
        Unsafe: it would change who is master in a group without elections, or make a second one.
    """
    mastership.refuse_swap(topology, instances)
    mastership.refuse_second_master(topology, instances)
    return plan(topology, instances, artifact.name, artifact.runtime.name if artifact.runtime else None)


def execute(
    topology: Topology,
    todo: Plan,
    artifact: Artifact,
    *,
    log: Path,
    listener: Listener,
    say: Say,
    forks: int = playbook.FORKS,
) -> Deployed:
    """Carry out a plan: files and dead instances first, then restarts one at a time, then health.

    A plan for some instances waits for their health alone.

    Raises:
        OperationFailed: a host failed, or the cluster did not become healthy; names which, and why.
    """
    names = [change.instance.name for change in todo.changes]
    only = names if len(names) < len(topology.instances) else []
    if todo.needed:
        playbook.run(
            "site",
            topology.inventory,
            log=log,
            listener=listener,
            variables={
                "rocketmq_archives": archives(artifact),
                "rocketmq_hands": representatives(todo),
                "rocketmq_restart": False,
            },
            limit=[change.instance.name for change in todo.needed],
            rendered=rendered(todo),
            forks=forks,
        )
    lifecycle.roll(topology, todo.of("restart"), log, listener, say, only)
    say("waiting for health")
    status = health.wait(topology, only=only)
    canary.send_and_read_back(topology, status, only)
    return Deployed(tuple(change.instance.name for change in todo.needed), status)


def representatives(todo: Plan) -> dict[str, Value]:
    """Return for each instance the one that acts for all that share its machine and base directory."""
    first: dict[tuple[str, str], Value] = {}
    found: dict[str, Value] = {}
    for change in todo.needed:
        instance = change.instance
        place = (instance.machine, instance.text("rocketmq_base_dir"))
        found[instance.name] = first.setdefault(place, instance.name)
    return found


def rendered(todo: Plan) -> dict[str, dict[str, str]]:
    """Return the text of each file of each instance that has something to be done."""
    return {
        change.instance.name: {file.path: file.content for file in trees.tree(change.instance)}
        for change in todo.needed
    }


def archives(artifact: Artifact) -> list[Value]:
    """Return what a machine must carry, in the words of the role."""
    carried: list[Value] = [
        {
            "name": artifact.name,
            "link": f"rocketmq-{artifact.version}",
            "archive": str(artifact.path),
            "sha256": artifact.digest,
        }
    ]
    if artifact.runtime:
        carried.append(
            {
                "name": artifact.runtime.name,
                "link": "java",
                "archive": str(artifact.runtime.path),
                "sha256": artifact.runtime.digest,
            }
        )
    return carried

"""Start, stop and restart instances; nothing is written to a host but its processes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from rmqops.errors import OperationFailed
from rmqops.model.topology import Instance, Topology
from rmqops.operations.change import playbook
from rmqops.operations.change.playbook import Listener
from rmqops.operations.hosts import facts
from rmqops.operations.observe import health
from rmqops.operations.plan import mastership

Say = Callable[[str], None]


def require_deployed(topology: Topology, instances: Sequence[Instance]) -> None:
    """Make sure that instances were deployed.

    Raises:
        OperationFailed: some were not.
    """
    found = facts.gather(instances)
    missing = [item.name for item in instances if found[item.name].mark != f"{topology.cluster}/{item.name}"]
    if missing:
        raise OperationFailed(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not deployed",
            remedy=f"rmqops deploy --inventory {topology.inventory}",
        )


def start(topology: Topology, instances: Sequence[Instance], log: Path, listener: Listener) -> None:
    """Start instances, NameServers first, and wait for health if that is the whole cluster.

    Raises:
        OperationFailed: some are not deployed, or do not start.
        Unsafe: a group without elections would have two masters.
    """
    require_deployed(topology, instances)
    mastership.refuse_second_master(topology, instances)
    _play("start", topology, instances, log, listener)
    if len(instances) == len(topology.instances):
        health.wait(topology)


def stop(topology: Topology, instances: Sequence[Instance], log: Path, listener: Listener) -> None:
    """Stop instances: all brokers, then the NameServers."""
    require_deployed(topology, instances)
    _play("stop", topology, instances, log, listener)


def restart(topology: Topology, instances: Sequence[Instance], log: Path, listener: Listener, say: Say) -> None:
    """Restart instances one at a time: NameServers, followers, masters; healthy between one and the next.

    Raises:
        OperationFailed: the cluster did not become healthy again; the rest was left as it was.
        Unsafe: a group without elections would have two masters.
    """
    require_deployed(topology, instances)
    mastership.refuse_second_master(topology, instances)
    roll(topology, instances, log, listener, say)


def roll(
    topology: Topology,
    instances: Sequence[Instance],
    log: Path,
    listener: Listener,
    say: Say,
    only: Collection[str] = (),
) -> None:
    """Restart instances that run, one at a time, with health between; ``only`` as in :func:`health.wait`."""
    left = list(instances)
    while left:
        masters = health.masters(topology)
        left.sort(key=lambda item: (item.kind == "broker", item.address in masters))
        instance = left.pop(0)
        say(f"restarting {instance.name}")
        _play("restart", topology, [instance], log, listener)
        health.wait(topology, only=only)


def _play(name: str, topology: Topology, instances: Sequence[Instance], log: Path, listener: Listener) -> None:
    playbook.run(
        name,
        topology.inventory,
        log=log,
        listener=listener,
        variables={"rocketmq_restart": False},  # a start restarts nothing; what must be restarted is rolled
        limit=[instance.name for instance in instances],
    )

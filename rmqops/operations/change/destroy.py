"""Take a cluster off its hosts again: only what a deploy made, and the messages only when told so."""

from __future__ import annotations

from pathlib import Path

from rmqops.errors import Unsafe
from rmqops.model.topology import Topology
from rmqops.operations.change import playbook
from rmqops.operations.change.playbook import Listener
from rmqops.operations.hosts import facts


def destroy(topology: Topology, *, typed: str, data: bool, log: Path, listener: Listener) -> tuple[str, ...]:
    """Stop and remove every instance; return the names of those that were there.

    Args:
        topology: The cluster.
        typed: The cluster's name as a person typed it.
        data: Whether to remove the messages as well.
        log: Where Ansible's output is kept.
        listener: Told of each event.

    Raises:
        Unsafe: the name is not the cluster's, or a directory belongs to another cluster.
    """
    if typed != topology.cluster:
        raise Unsafe(
            f"this removes cluster {topology.cluster}, and the name given was {typed!r}",
            remedy=f"type the cluster's name, or give --confirm {topology.cluster}",
        )
    found = facts.gather(topology.instances)
    foreign = {name: state.mark for name, state in found.items() if state.mark not in {None, f"{typed}/{name}"}}
    if foreign:
        raise Unsafe(
            "some directories belong to another cluster; nothing was removed",
            detail="\n".join(f"{topology.instance(name).home}: {mark}" for name, mark in foreign.items()),
            remedy="check rocketmq_instance_dir in the inventory",
        )
    there = tuple(name for name, state in found.items() if state.mark)
    if there:
        playbook.run(
            "destroy",
            topology.inventory,
            log=log,
            listener=listener,
            variables={"rocketmq_destroy_data": data},
        )
    return there

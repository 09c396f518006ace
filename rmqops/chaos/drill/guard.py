"""What a drill may not break. PURE: it is asked before the first command is sent, and again before the strike."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rmqops.chaos.drill import Drill
from rmqops.errors import Unsafe
from rmqops.model.topology import Group, Instance, Topology


def permit(topology: Topology, typed: str | None) -> None:
    """Refuse a cluster that was neither marked as drillable nor named by the person who asks.

    Raises:
        Unsafe: ``typed`` is not the cluster's name, or nothing was typed.
    """
    if topology.drillable and typed is None:
        return
    if typed != topology.cluster:
        what = "is not marked as drillable" if typed is None else f"is not the {typed!r} that was named"
        raise Unsafe(
            f"cluster {topology.cluster} {what}; nothing was touched",
            remedy=f"set rocketmq_drillable: true in its inventory, or give --confirm {topology.cluster}",
        )


def limit(topology: Topology, drill: Drill, victims: Collection[Instance], ailing: Collection[str] = ()) -> None:
    """Refuse a strike that takes more than a drill declares.

    Args:
        topology: The cluster.
        drill: What it allows.
        victims: The instances to be struck.
        ailing: Names of the instances that are down already; they count as if they were struck.

    Raises:
        Unsafe: a group would lose its majority, or the cluster its last NameServer, or it is more than one group.
    """
    refused = [
        (allowance, what)
        for allowance, what in _losses(topology, victims, ailing)
        if allowance not in drill.allows
    ]
    if refused:
        raise Unsafe(
            f"drill {drill.name} would go too far; nothing was struck",
            detail="\n".join(what for _, what in refused),
            remedy=f"only a drill that says allows: [{', '.join(name for name, _ in refused)}] may",
        )


def _losses(
    topology: Topology, victims: Collection[Instance], ailing: Collection[str]
) -> Iterator[tuple[str, str]]:
    struck = {victim.name for victim in victims}
    gone = struck | set(ailing)
    names = [server.name for server in topology.nameservers]
    if struck & set(names) and gone.issuperset(names):
        yield "last-nameserver", f"no NameServer would be left of {', '.join(names)}"
    groups = [group for group in topology.groups if struck.intersection(_names(group))]
    if len(groups) > 1:
        yield "several-groups", f"it strikes {len(groups)} groups: {', '.join(group.name for group in groups)}"
    for group in groups:
        left, needed = [name for name in _names(group) if name not in gone], _quorum(group)
        if len(left) < needed:
            yield (
                "majority",
                f"group {group.name} needs {needed} of its {len(group.members)} and would have {len(left)}",
            )


def _names(group: Group) -> list[str]:
    return [member.name for member in group.members]


def _quorum(group: Group) -> int:
    """Return how many members a group needs to serve: DLedger a majority, the other modes any one for reading."""
    return len(group.members) // 2 + 1 if group.mode == "dledger" else 1

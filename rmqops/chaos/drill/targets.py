"""Whom a fault strikes: words, resolved against the route at the moment of the strike. PURE."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

from rmqops.errors import Inconclusive, UsageError
from rmqops.model.topology import Group, Instance, Topology

WORDS = ("master", "slave", "one", "minority", "majority", "all")
"""Members of one group."""

NAMESERVERS: Mapping[str, Callable[[int], int]] = {
    "namesrv": lambda _count: 1,
    "namesrv-majority": lambda count: count // 2 + 1,
    "namesrv-all": lambda count: count,
}
"""How many of the NameServers a word means. Anything else is names of instances, with commas between them."""

_CLIENT = re.compile(r"(producer|consumer)(?:-(\d+))?")

Masters = Mapping[str, Mapping[str, str | None]]
"""The master's address (None when there is none) by group, as each NameServer says it, by NameServer."""


def resolve(target: str, topology: Topology, masters: Masters, chance: random.Random) -> tuple[Instance, ...]:
    """Return the instances that a target means now; none where it means a process of the load.

    ``chance`` chooses the group when the cluster has several, and the members where the word leaves a choice; so a
    drill's seed decides, given the same route.

    Raises:
        UsageError: a name is not an instance's, or the group is too small to have such members.
        Inconclusive: the NameServers do not agree on one master of the group.
    """
    if client(target):
        return ()
    if target in NAMESERVERS:
        servers = topology.nameservers
        return tuple(chance.sample(servers, NAMESERVERS[target](len(servers))))
    if target not in WORDS:
        return _named(target, topology)
    group = chance.choice(topology.groups)
    minority = (len(group.members) - 1) // 2
    candidates: tuple[Instance, ...] = group.members
    count = {"minority": minority, "majority": minority + 1, "all": len(group.members)}.get(target, 1)
    if target == "master":
        candidates = (agreed_master(group, masters),)
    elif target == "slave":
        master = agreed_master(group, masters)
        candidates = tuple(member for member in group.members if member != master)
    if not candidates or not count:
        raise UsageError(f"group {group.name} has no {target}", remedy="strike a group with more members")
    return tuple(chance.sample(candidates, count))


def client(target: str) -> tuple[str, int | None] | None:
    """Return the role and the number of a process of the load that a target means; None when it means an instance.

    ``producer`` and ``consumer`` are one of them, ``producer-1`` is that one; whatever life it is in.
    """
    match = _CLIENT.fullmatch(target)
    return (match[1], int(match[2]) if match[2] else None) if match else None


def candidates(target: str, topology: Topology) -> tuple[Instance, ...]:
    """Return every instance that a target could mean.

    Raises:
        UsageError: a name is not an instance's.
    """
    if client(target):
        return ()
    if target in NAMESERVERS:
        return topology.nameservers
    return topology.brokers if target in WORDS else _named(target, topology)


def could_mean(target: str, instance: Instance) -> bool:
    """Tell whether a target could mean an instance, whatever else the inventory has or lacks."""
    if client(target):
        return False
    if target in NAMESERVERS:
        return instance.kind == "namesrv"
    return instance.kind == "broker" if target in WORDS else instance.name in map(str.strip, target.split(","))


def worst_case(target: str, topology: Topology) -> tuple[Instance, ...]:
    """Return instances like those that the target could mean, without asking anybody; for the guard.

    Raises:
        UsageError: a name is not an instance's.
    """
    route = {group.name: group.members[0].address for group in topology.groups}
    return resolve(target, topology, {"assumed": route}, random.Random(0))


def agreed_master(group: Group, masters: Masters) -> Instance:
    """Return the master of a group on which all NameServers agree.

    Raises:
        Inconclusive: they do not, or it is not in the inventory.
    """
    addresses = {route.get(group.name) for route in masters.values()}
    master = next((member for member in group.members if {member.address} == addresses), None)
    if master is None:
        says = ", ".join(f"{server} says {route.get(group.name) or 'none'}" for server, route in masters.items())
        raise Inconclusive(
            f"group {group.name} has no master on which all NameServers agree, so there is none to strike: {says}",
            remedy="see rmqops status, and run the drill again",
        )
    return master


def _named(target: str, topology: Topology) -> tuple[Instance, ...]:
    chosen = {}
    known = {instance.name: instance for instance in topology.instances}
    for name in (part.strip() for part in target.split(",")):
        if name not in known:
            raise UsageError(
                f"{topology.inventory} has no instance {name!r} for a target",
                remedy=f"use {', '.join((*WORDS, *NAMESERVERS))}, producer, consumer, or names, with commas: "
                f"{', '.join(known)}",
            )
        chosen[name] = known[name]
    return tuple(chosen.values())

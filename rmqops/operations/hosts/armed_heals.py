"""What a drill has left on hosts: heals that lie armed there, and what a fault put there without one.

A fault's heal lies on its host from before the fault until that has been healed (``rmqops/chaos/mechanisms``), so
one that lies there says that the fault may be in force: of a drill that runs, or of one that was cut off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from rmqops.errors import Unsafe
from rmqops.model.topology import Instance, Topology
from rmqops.operations.hosts.facts import Facts

CHAIN_PREFIX = "RMQOPS-"
"""Begins the name of a fault's own chain of iptables."""


def directory(instance: Instance) -> str:
    """Return where the heals of an instance's faults lie, a file ``<fault>.sh`` each."""
    return f"{instance.home}/heals"


def chain(fault: str) -> str:
    """Name the chain of a fault of the network; iptables takes 28 characters."""
    return f"{CHAIN_PREFIX}{hashlib.sha256(fault.encode()).hexdigest()[:16]}"


def armed(topology: Topology, facts: Mapping[str, Facts]) -> tuple[tuple[Instance, str], ...]:
    """Return each fault whose heal lies armed, with its instance, as far as hosts said."""
    return tuple(
        (instance, heal.fault)
        for instance in topology.instances
        if instance.name in facts
        for heal in facts[instance.name].heals
    )


def problems(topology: Topology, facts: Mapping[str, Facts]) -> tuple[tuple[str, str], ...]:
    """Return the instances that a drill has left something on, and what, as a sentence each."""
    return tuple(_problems(topology, facts))


def _problems(topology: Topology, facts: Mapping[str, Facts]) -> Iterator[tuple[str, str]]:
    heal = f"rmqops chaos heal --inventory {topology.inventory}"
    known = {fault for _, fault in armed(topology, facts)}
    told: set[tuple[str, str]] = set()
    for instance in topology.instances:
        if instance.name not in facts:
            continue
        for text in _armed(facts[instance.name]):
            yield instance.name, f"{instance.name}: {text}: a drill is under way, or was cut off ({heal})"
        chains = {name for name in facts[instance.name].chains if name not in set(map(chain, known))}
        for what in (
            *(f"the iptables chain {name}" for name in sorted(chains)),
            *_unexplained(facts, instance, known),
        ):
            if (instance.machine, what) not in told:
                told.add((instance.machine, what))
                yield (
                    instance.name,
                    f"{instance.name}: a fault left {what} on its host, and no heal lies there "
                    f"({heal} RUN with the run that it is of, or take it away)",
                )


def refuse(topology: Topology, facts: Mapping[str, Facts]) -> None:
    """Refuse to change instances while a fault may be in force on one of them.

    Args:
        topology: The cluster.
        facts: What is on the hosts of the instances that it is about.

    Raises:
        Unsafe: a heal lies armed there; names the fault, and since when.
    """
    texts = [f"{name}: {text}" for name, host in facts.items() for text in _armed(host)]
    if texts:
        raise Unsafe(
            "a fault of a drill may be in force; nothing was touched",
            detail="\n".join(texts),
            remedy=f"wait until the drill has ended, or rmqops chaos heal --inventory {topology.inventory}",
        )


def _armed(host: Facts) -> Iterable[str]:
    for heal in host.heals:
        since = f"{datetime.fromtimestamp(heal.since, UTC):%Y-%m-%d %H:%M:%S} UTC"
        yield f"the heal of fault {heal.fault} lies armed since {since}"


def _unexplained(facts: Mapping[str, Facts], instance: Instance, known: set[str]) -> Iterator[str]:
    """Yield the files that no fault explains whose heal lies armed: the name of each holds its fault's id."""
    for path in facts[instance.name].leftovers:
        if not any(fault in path for fault in known):
            yield path

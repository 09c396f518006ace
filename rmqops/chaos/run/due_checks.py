"""Which checks a drill must be judged by: one that its history has nothing for is inconclusive, never silent."""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.chaos.drill import Drill
from rmqops.model.topology import Topology

ALWAYS = (
    "availability", "delivered", "duplicated", "faults", "history", "lost", "offsets", "order", "recovered",
    "recovery", "routes", "service", "unexpected",
)  # fmt: skip
"""Every drill sends, is struck, and is read back."""


def due_checks(topology: Topology, drill: Drill) -> tuple[str, ...]:
    """Return the names of the checks that a drill against a cluster must have a result of."""
    return tuple(sorted([*ALWAYS, *_of_cluster(topology), *_of_drill(drill)]))


def _of_cluster(topology: Topology) -> Iterator[str]:
    if any(group.mode == "dledger" for group in topology.groups):
        yield "leaders"
    if any(len(group.members) > 1 for group in topology.groups):
        yield "replicas"


def _of_drill(drill: Drill) -> Iterator[str]:
    if any(phase.expects == "reads" for phase in drill.phases):
        yield "copied"
    if drill.load.driver == "java":
        yield "committed"
    if drill.load.keys:
        yield "keys"
    if drill.load.from_slaves:
        yield "served"

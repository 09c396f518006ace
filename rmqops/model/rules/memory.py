"""The JVMs of a machine fit in its memory, and their sizes are sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost

_SIZE: Final = re.compile(r"([1-9][0-9]{0,9})([kKmMgGtT])", re.ASCII)
_UNITS: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_KEYS: Final = ("rocketmq_heap", "rocketmq_young_generation", "rocketmq_direct_memory")


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield sizes that are none, and machines that are too small."""
    for host in cluster.members:
        for key in _KEYS:
            if host.text(key) and size(host.text(key)) is None:
                yield host.problem(key, "is not a size with a unit", "Write 512m or 8g, for example")
        if host.values.get("rocketmq_heap") == "":
            yield host.problem("rocketmq_heap", "is empty", "Write 512m or 8g, for example", found="''")
        heap, young = size(host.text("rocketmq_heap")), size(host.text("rocketmq_young_generation"))
        if heap and young and young > heap:
            what = f"is larger than the heap, {host.text('rocketmq_heap')}"
            yield host.problem("rocketmq_young_generation", what, "Use about half of the heap")
    for place, hosts in cluster.places.items():
        if place in cluster.machine_memory:
            yield from _fits(place, hosts, cluster.machine_memory[place])


def size(text: str) -> int | None:
    """Return the bytes of a JVM's size such as ``512m``; None when it is none."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _UNITS[match[2].lower()] if match else None


def _fits(place: str, hosts: tuple[InventoryHost, ...], memory: int) -> Iterator[Problem]:
    """Heap and direct memory alone: where the latter is left to the JVM, it counts as nothing."""
    needs = {host.name: sum(size(host.text(key)) or 0 for key in _KEYS if "young" not in key) for host in hosts}
    if sum(needs.values()) <= memory:
        return
    largest = max(hosts, key=lambda host: needs[host.name])
    parts = ", ".join(f"{name} {size_text(need)}" for name, need in needs.items())
    yield largest.problem(
        "rocketmq_heap",
        f"heap and direct memory of the instances on {place} come to {size_text(sum(needs.values()))} ({parts}), "
        f"and it has {size_text(memory)}",
        "Lower rocketmq_heap and rocketmq_direct_memory, or use another machine",
    )


def size_text(count: int) -> str:
    """Return a number of bytes as a reader likes it."""
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"

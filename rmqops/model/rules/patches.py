"""The patches that the release is built with are known, are for it, and are the same for all instances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model import patch_choice
from rmqops.model.cluster import Cluster, InventoryHost
from rmqops.model.patch_choice import KEY, PatchChoice

_NAMED: Final = 4
"""CVEs named in a warning; more are counted."""


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield choices that cannot be, instances that disagree, and warnings of holes that a choice leaves open."""
    known = [host for host in cluster.members if isinstance(host.values.get(KEY), dict)]
    for host in known:
        try:
            choice = patch_choice.read(host.values[KEY])
        except ValueError as error:
            remedy = (
                "Write `with` and `without` as lists of names, or `plain: true`; rmqops build --patches lists them"
            )
            yield host.problem(KEY, str(error), remedy)
            continue
        for message, remedy in choice.objections(host.text("rocketmq_version"), cluster.reference.patches):
            yield host.problem(KEY, message, remedy)
        first = known[0]
        if host.values[KEY] != first.values[KEY]:
            origin = first.raw.origins.get(KEY, "by default")
            what = f"differs within the cluster: {first.name} has {first.values[KEY]} ({origin})"
            yield host.problem(KEY, what, f"Set {KEY} once for all of the cluster: one release runs on all of it")
        yield from _open_holes(host, choice, cluster)


def _open_holes(host: InventoryHost, choice: PatchChoice, cluster: Cluster) -> Iterator[Problem]:
    known = cluster.reference.patches
    omitted = choice.omitted(host.text("rocketmq_version"), known)
    if omitted:
        cves = sorted({cve for name in omitted for cve in known[name].cves})
        numbers = f" ({', '.join(cves[:_NAMED])}{f' and {len(cves) - _NAMED} more' if len(cves) > _NAMED else ''})"
        yield host.problem(
            KEY,
            f"leaves {', '.join(omitted)} out: holes that scanners know stay open{numbers if cves else ''}, to "
            "everybody who reaches a port of any address of its machine, because RocketMQ listens on all of them",
            "Take them, or let a firewall keep strangers from the ports; docs/security.md",
            severity="warning",
        )

"""Members of one group are on machines of their own, or else one death takes the group."""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield members of one group that share a machine, as warnings; a cluster on one machine is said once."""
    groups = {"namesrv": cluster.nameservers, **cluster.groups}
    if len(cluster.places) == 1:
        if any(len(hosts) > 1 for hosts in groups.values()):
            machine = next(iter(cluster.places))
            what = f"all {len(cluster.members)} instances are on one machine, and die with it"
            yield cluster.problem(
                None, what, "Fine for trials; use more machines otherwise", found=machine, severity="warning"
            )
        return
    for name, hosts in groups.items():
        for place, sharing in _by_place(hosts).items():
            if len(sharing) > 1:
                names = ", ".join(host.name for host in sharing)
                what = f"{names} of the group are on one machine, and die with it"
                remedy = "Put each member of a group on a machine of its own"
                yield cluster.problem(name, what, remedy, found=place, severity="warning")


def _by_place(hosts: tuple[InventoryHost, ...]) -> dict[str, list[InventoryHost]]:
    places: dict[str, list[InventoryHost]] = {}
    for host in hosts:
        places.setdefault(host.place, []).append(host)
    return places

"""The release is one that rmqops knows and can do what is asked, and all instances agree on it."""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost
from rmqops.model.releases import DEFAULT_VERSION, RELEASES, Release


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield unknown releases, modes that a release lacks, and instances that disagree."""
    for host in cluster.members:
        yield from _release(host)
    for key in ("rocketmq_cluster", "rocketmq_version"):
        yield from _disagreeing(cluster.members, key, "the cluster")
    for name, hosts in cluster.groups.items():
        yield from _disagreeing(hosts, "rocketmq_mode", f"group {name}")


def _release(host: InventoryHost) -> Iterator[Problem]:
    version = host.text("rocketmq_version")
    if version and version not in RELEASES:
        remedy = f"Use one of {', '.join(RELEASES)}"
        yield host.problem("rocketmq_version", "is not a release that rmqops knows", remedy)
    elif version and host.kind == "broker" and _lacks_dledger(host, RELEASES[version]):
        first = next(release.version for release in RELEASES.values() if release.dledger)
        yield host.problem(
            "rocketmq_version",
            f"RocketMQ {version} has no DLedger, which came with {first}",
            f"Set rocketmq_version to {DEFAULT_VERSION}, or rocketmq_mode to master-slave",
        )


def _lacks_dledger(host: InventoryHost, release: Release) -> bool:
    return host.text("rocketmq_mode") == "dledger" and "dledger" not in release.modes


def _disagreeing(hosts: tuple[InventoryHost, ...], key: str, where: str) -> Iterator[Problem]:
    known = [host for host in hosts if host.text(key)]
    for host in known[1:]:
        if host.text(key) != known[0].text(key):
            first = known[0]
            origin = first.raw.origins.get(key, "by default")
            what = f"differs within {where}: {first.name} has {first.text(key)} ({origin})"
            yield host.problem(key, what, f"Set {key} once for all of {where}")

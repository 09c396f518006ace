"""Every instance is a NameServer, or a broker of exactly one broker group; a host of `clients` is neither."""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.errors import Problem
from rmqops.model.cluster import CLIENTS, Cluster, InventoryHost


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield missing and empty groups, and hosts that are in none or in too many."""
    yield from _groups(cluster)
    for host in cluster.members:
        yield from _host(cluster, host)
    members = {host.name for host in cluster.members}
    for name, host in cluster.hosts.items():
        if name not in members and CLIENTS not in host.raw.groups:
            yield cluster.problem(
                name,
                "is neither a NameServer nor a broker, and rmqops passes over it",
                f"Put it in the group namesrv, a child group of brokers or {CLIENTS}, or take it out",
                severity="warning",
            )


def _groups(cluster: Cluster) -> Iterator[Problem]:
    if not cluster.nameservers:
        yield cluster.problem(
            "namesrv",
            "there is no NameServer: brokers and clients find one another through it",
            "List at least one host in the group namesrv; three survive the death of two",
        )
    if not cluster.groups:
        remedy = "Give the group brokers one child group for each broker group"
        yield cluster.problem("brokers", "there is no broker group", remedy)
    for name, hosts in cluster.groups.items():
        if not hosts:
            yield cluster.problem(name, "is a broker group without brokers", "List its hosts, or remove it")
        if cluster.raw.children.get(name):
            nested = ", ".join(cluster.raw.children[name])
            what = "is a broker group and has child groups of its own"
            yield cluster.problem(name, what, f"Put {nested} directly under brokers", found=nested)


def _host(cluster: Cluster, host: InventoryHost) -> Iterator[Problem]:
    if CLIENTS in host.raw.groups:
        what = f"is an instance and in {CLIENTS}, whose hosts run none"
        remedy = "Make it two hosts of the inventory with the same ansible_host, or take it out of one group"
        yield cluster.problem(host.name, what, remedy)
    groups = [name for name, hosts in cluster.groups.items() if host in hosts]
    named = {name.name for name in cluster.nameservers}
    if host.name in named and "brokers" in host.raw.groups:
        remedy = "Make it two hosts of the inventory with the same ansible_host"
        yield cluster.problem(host.name, "is in namesrv and in brokers: a host is one process", remedy)
    elif host.name not in named and not groups:
        remedy = "Put it in one child group of brokers: the broker group that it belongs to"
        yield cluster.problem(host.name, "is in brokers and in no child group of it", remedy)
    elif len(groups) > 1:
        what = "is in more than one broker group"
        yield cluster.problem(host.name, what, "Keep it in one of them", found=", ".join(groups))
    elif groups and "rocketmq_group" in host.values and host.text("rocketmq_group") != groups[0]:
        yield host.problem(
            "rocketmq_group",
            f"differs from the broker group that the host is in, {groups[0]}",
            f"Set rocketmq_group to {groups[0]}, or rename the child group",
        )

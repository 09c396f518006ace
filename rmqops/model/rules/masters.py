"""Without DLedger a group has one master with broker id 0, slaves with ids of their own, and roles that fit."""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield groups of modes master-slave and single that RocketMQ would not run as meant."""
    for name, hosts in cluster.groups.items():
        modes = {host.text("rocketmq_mode") for host in hosts}
        if modes == {"single"} and len(hosts) != 1:
            remedy = "Set rocketmq_mode to dledger or master-slave, or make each broker a group of its own"
            members = f"{len(hosts)}: {', '.join(host.name for host in hosts)}"
            yield cluster.problem(name, "a group of mode single has one broker", remedy, found=members)
        elif modes == {"master-slave"}:
            yield from _master_slave(cluster, name, hosts)


def _master_slave(cluster: Cluster, name: str, hosts: tuple[InventoryHost, ...]) -> Iterator[Problem]:
    if len(hosts) < 2:
        remedy = "Add a slave, or set rocketmq_mode to single"
        yield cluster.problem(
            name, "a group of mode master-slave has a master and at least one slave", remedy, found=1
        )
    ids: dict[int, InventoryHost] = {}
    for host in hosts:
        number = host.number("rocketmq_broker_id")
        if number is None:
            continue
        if number < 0:
            yield host.problem("rocketmq_broker_id", "is negative", "Use 0 for the master, 1 and up for slaves")
        first = ids.setdefault(number, host)
        if first is not host:
            what = f"is the broker id of {first.name} in the same group, too: each would take the other's route"
            yield host.problem("rocketmq_broker_id", what, "Use 0 for the master, and 1, 2 … for the slaves")
        yield from _role(host, number)
    if ids and 0 not in ids:
        what = "has no master: no member has rocketmq_broker_id 0"
        yield cluster.problem(name, what, "Set rocketmq_broker_id to 0 on one of them", found=sorted(ids))


def _role(host: InventoryHost, number: int) -> Iterator[Problem]:
    role = host.text("rocketmq_broker_role")
    if role == "SLAVE" and number == 0:
        what = "is SLAVE with broker id 0, and BrokerStartup refuses to start"
        yield host.problem("rocketmq_broker_role", what, "Use ASYNC_MASTER or SYNC_MASTER, or another id")
    elif role.endswith("_MASTER") and number > 0:
        what = f"is a master's with broker id {number}, and BrokerStartup would make it broker 0"
        yield host.problem("rocketmq_broker_role", what, "Use SLAVE, or leave it to rmqops")

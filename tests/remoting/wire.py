"""A throw-away cluster as the tests of the wire client see it: addresses, topics, members that die."""

from __future__ import annotations

import asyncio
import itertools
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rmqops.model.topology import Topology
from rmqops.operations.observe import health
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.routes import level
from tests.support.clusters import Cluster, dledger_inventory
from tests.support.waiting import until_async

_TOPICS = itertools.count(1)


@dataclass(frozen=True)
class Wire:
    """A running cluster."""

    cluster: Cluster
    topology: Topology

    @classmethod
    def of(cls, cluster: Cluster) -> Wire:
        """Look at a cluster that is deployed."""
        return cls(cluster, cluster.topology)

    @property
    def nameserver(self) -> str:
        """The address of its first NameServer."""
        return self.topology.nameservers[0].address

    @property
    def brokers(self) -> tuple[str, ...]:
        """The addresses of its brokers."""
        return tuple(broker.address for broker in self.topology.brokers)

    @property
    def group(self) -> str:
        """The name of its first group."""
        return self.topology.groups[0].name

    def name(self, broker: str) -> str:
        """Return the instance at an address."""
        instance = self.topology.at(broker)
        assert instance is not None
        return instance.name

    async def kill(self, broker: str) -> None:
        """Kill a broker by its address."""
        await asyncio.to_thread(self.cluster.kill, self.name(broker))

    async def start(self, broker: str) -> None:
        """Start a broker that was killed."""
        done = await asyncio.to_thread(self.cluster.script, self.name(broker), "start.sh")
        assert done.code == 0, done

    async def freeze(self, broker: str) -> None:
        """Have a broker stand still."""
        await asyncio.to_thread(self.cluster.send_signal, self.name(broker), signal.SIGSTOP)

    async def thaw(self, broker: str) -> None:
        """Have a broker that stood still go on."""
        await asyncio.to_thread(self.cluster.send_signal, self.name(broker), signal.SIGCONT)

    async def healthy(self) -> None:
        """Wait until every broker is registered and every group has a master."""
        await asyncio.to_thread(health.wait, self.topology, 180)

    async def topic(self, client: Client, name: str = "", queues: int = 4) -> str:
        """Create a topic of this test's own on every member; wait until the route and every member have it.

        A slave takes over its master's topics every 10 s (``BrokerController.handleSlaveSynchronize``). One that
        becomes master before that does not know the topic: it answers sends and pulls with 17. So slaves are told
        as well, once their masters have it, and so is a master that was elected meanwhile.
        """
        topic = name or f"topic-{next(_TOPICS)}"
        admin = Admin(client)

        async def routed() -> bool:
            groups = (await admin.cluster_info(self.nameserver)).groups
            masters = {group.master for group in groups.values()}
            lacking = [broker for broker in self.brokers if topic not in await admin.topic_configs(broker)]
            for broker in [broker for broker in lacking if broker in masters] or lacking:
                await admin.create_topic(broker, topic, queues=queues)
            route = await admin.route(self.nameserver, topic)
            return not lacking and None not in masters and route is not None and len(route.queues) == len(groups)

        await until_async(routed, f"{topic} in the route and on every member", 90)
        return topic


async def dispatched(client: Client, broker: str) -> None:
    """Wait until the queues of a broker show all of its log: an acknowledgement does not wait for that."""
    admin = Admin(client)

    async def level_with_itself() -> bool:
        return level({broker: await admin.runtime_info(broker)})

    await until_async(level_with_itself, f"the log of {broker} dispatched", 30)


def described(
    base: Path,
    port: int,
    version: str = "4.5.2",
    *,
    mode: str = "single",
    groups: int = 1,
    members: int = 1,
    config: dict[str, object] | None = None,
    of_group: dict[int, dict[str, object]] | None = None,
    first_role: str = "ASYNC_MASTER",
) -> dict[str, Any]:
    """Describe one NameServer and groups without elections, ``group-0`` and so on.

    Args:
        base: The base directory.
        port: The first port.
        version: The release.
        mode: ``single`` or ``master-slave``.
        groups: How many.
        members: Of each group.
        config: Keys of every broker.
        of_group: Keys of the brokers of a group, by its number.
        first_role: The role of the first member of each group.
    """
    document = dledger_inventory(base, port, version)
    children = document["all"]["children"]
    children["namesrv"]["hosts"] = {"namesrv-1": {"rocketmq_listen_port": port}}
    brokers = children["brokers"]
    brokers["vars"] |= {"rocketmq_mode": mode, "rocketmq_heap": "512m", "rocketmq_direct_memory": "512m"}
    brokers["vars"]["rocketmq_config"] |= {"sendMessageThreadPoolNums": 16, **(config or {})}
    number = itertools.count()
    brokers["children"] = {
        f"group-{group}": {
            "vars": {"rocketmq_config": brokers["vars"]["rocketmq_config"] | (of_group or {}).get(group, {})},
            "hosts": {
                f"broker-{count}": {
                    "rocketmq_listen_port": port + 10 + 10 * count,
                    **_role(mode, member, first_role),
                }
                for member, count in ((member, next(number)) for member in range(members))
            },
        }
        for group in range(groups)
    }
    return document


def _role(mode: str, member: int, first_role: str) -> dict[str, object]:
    if mode == "single":
        return {}
    return {"rocketmq_broker_id": member} if member else {"rocketmq_broker_role": first_role}


def running(make_cluster: Any, **options: Any) -> Wire:
    """Deploy a cluster as :func:`described`, and look at it."""
    cluster: Cluster = make_cluster(describe=partial(described, **options))
    cluster.must("deploy", "--yes")
    return Wire.of(cluster)

"""A slave of 4.4.0 is made master by rmqops promote, and the roles go back; every message is accounted for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Sequence

import pytest

from rmqops.model.topology import Instance
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.consumer import Consumer
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged
from rmqops.remoting.producer import Producer
from rmqops.remoting.routes import WriteQueue
from rmqops.system import waiting
from tests.support.clusters import Cluster, classic_inventory

pytestmark = pytest.mark.e2e

TOPIC = "orders"


async def _send(cluster: Cluster, client: Client, master: Instance, count: int) -> int:
    """Return how many of some messages a master has acknowledged."""

    def to_master(queues: Sequence[WriteQueue], _message: Message) -> WriteQueue:
        return next(queue for queue in queues if queue.address == master.address)

    servers = [server.address for server in cluster.topology.nameservers]
    async with Producer(client, servers, choice=to_master) as producer:
        sent = [await producer.send(TOPIC, Message(b"message %d" % number)) for number in range(count)]
    return sum(isinstance(outcome, Acknowledged) for outcome in sent)


async def _held(client: Client, broker: Instance) -> list[bytes]:
    end = await Admin(client).max_offset(broker.address, TOPIC, 0)
    return [message.body async for message in Consumer(client).drain(broker.address, TOPIC, 0, end, begin=0)]


async def _copied(client: Client, slave: Instance, count: int) -> None:
    """Wait until a slave has copied so many messages; it begins some 10 s after its start."""

    async def lacking() -> str | None:
        has = await Admin(client).max_offset(slave.address, TOPIC, 0)
        return None if has == count else f"it has {has} of {count}"

    await waiting.until(f"{slave.name} has copied everything", lacking, 60)


async def _die(cluster: Cluster, master: Instance, slave: Instance) -> int:
    """Kill a master that was ahead of its slave; return how many messages it had."""
    pids = {one.name: cluster.pid(one.name) for one in (master, slave)}
    assert all(pids.values())
    async with Client() as client:
        count = await Admin(client).max_offset(master.address, TOPIC, 0)
        count += await _send(cluster, client, master, 20)
        await _copied(client, slave, count)
        os.kill(pids[slave.name] or 0, signal.SIGSTOP)
        try:
            count += await _send(cluster, client, master, 40)
            os.kill(pids[master.name] or 0, signal.SIGKILL)
        finally:
            os.kill(pids[slave.name] or 0, signal.SIGCONT)
    return count


async def _contents(*brokers: Instance) -> list[list[bytes]]:
    async with Client() as client:
        return [await _held(client, broker) for broker in brokers]


async def _take(cluster: Cluster, master: Instance, count: int) -> int:
    async with Client() as client:
        return await _send(cluster, client, master, count)


def deployed(make_cluster: Callable[..., Cluster]) -> tuple[Cluster, Instance, Instance]:
    """Return a running cluster, and the master and the slave of its first group."""
    cluster = make_cluster("4.4.0", classic_inventory)
    cluster.must("deploy", "--yes")
    cluster.must("topic", "create", TOPIC, "--queues", "1")
    return cluster, cluster.topology.instance("broker-a-0"), cluster.topology.instance("broker-a-1")


def test_a_promotion_and_its_undoing(make_cluster: Callable[..., Cluster]) -> None:
    cluster, master, slave = deployed(make_cluster)
    lives = cluster.rmqops("promote", slave.name, "--confirm", slave.name)
    assert lives.code == 5, lives
    assert "runs: two masters" in lives.stderr
    there_and_back(cluster, master, slave)


def there_and_back(cluster: Cluster, master: Instance, slave: Instance) -> None:
    """Let a master die, promote its slave, and give the roles back."""
    acknowledged = asyncio.run(_die(cluster, master, slave))
    promoted = json.loads(cluster.must("promote", slave.name, "--confirm", slave.name, "--json").stdout)
    assert promoted["master"] == slave.name
    (there,) = asyncio.run(_contents(slave))
    assert len(there) == acknowledged - promoted["not_copied"]["messages"]
    drift = json.loads(cluster.rmqops("status", "--json").stdout)["drift"]
    assert sum("and the inventory says" in text for text in drift) == 2
    refused = cluster.rmqops("deploy", "--yes")
    assert refused.code == 5, refused

    more = asyncio.run(_take(cluster, slave, 10))
    cluster.must("start", master.name)
    cluster.must("promote", "--undo", slave.name, "--confirm", slave.name)
    first, second = asyncio.run(_contents(master, slave))
    assert len(first) == len(there) + more
    assert first == second
    assert first[: len(there)] == there
    assert "nothing to change" in cluster.must("plan").stdout
    assert cluster.must("status").stdout.count("drift") == 0

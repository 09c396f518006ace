"""All NameServers die, and come back in every order: clients that run go on, new ones start from each address."""

from __future__ import annotations

import asyncio
import os
import signal
from itertools import permutations

import pytest

from rmqops.operations.observe import health
from rmqops.remoting.client import Client
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Outcome
from rmqops.remoting.producer import Producer
from tests.e2e.test_drills import sent
from tests.support.clusters import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NAMES = ("namesrv-1", "namesrv-2", "namesrv-3")
TOPIC = "in-any-order"
ALONE = 3.0
"""Seconds without any NameServer, and between two that come back."""


@pytest.mark.parametrize("order", list(permutations(NAMES)), ids=" ".join)
def test_nameservers_come_back_in_any_order(cluster: Cluster, order: tuple[str, ...]) -> None:
    health.wait(cluster.topology)
    cluster.must("topic", "create", TOPIC)
    outcomes = asyncio.run(_sends_meanwhile(cluster, order))
    assert len(outcomes) > 20 * ALONE * len(order) / 2
    assert [one for one in outcomes if not isinstance(one, Acknowledged)] == []
    for server in cluster.topology.nameservers:
        assert asyncio.run(sent([server.address], TOPIC)), f"{server.name} knows the whole route again"


async def _sends_meanwhile(cluster: Cluster, order: tuple[str, ...]) -> list[Outcome]:
    addresses = [server.address for server in cluster.topology.nameservers]
    outcomes: list[Outcome] = []
    async with Client() as client, Producer(client, addresses, poll_interval=1) as producer:
        outcomes.append(await producer.send(TOPIC, Message(b"before")))

        async def send_on() -> None:
            while True:
                outcomes.append(await producer.send(TOPIC, Message(b"x")))
                await asyncio.sleep(0.05)

        sending = asyncio.create_task(send_on())
        for name in order:
            os.kill(cluster.pid(name) or 0, signal.SIGKILL)
        for name in order:
            await asyncio.sleep(ALONE)
            await asyncio.to_thread(cluster.must, "start", name)
        await asyncio.to_thread(health.wait, cluster.topology)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return outcomes

"""Answers of a broker that is short of slaves and of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.consumer import Consumer
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Indeterminate, Position, Refused
from rmqops.remoting.producer import Producer
from tests.remoting.wire import Wire, dispatched, running
from tests.support.clusters import Cluster

pytestmark = pytest.mark.e2e

# One thread that waits for the disk at each message: the other messages queue for more than the millisecond that
# they are given, however fast the machine is.
SETTINGS = {"waitTimeMillsInSendQueue": 1, "sendMessageThreadPoolNums": 1, "flushDiskType": "SYNC_FLUSH"}


@pytest.fixture(scope="module")
def short(make_cluster: Callable[..., Cluster]) -> Wire:
    """A synchronous master and its slave; the master drops requests that waited for a millisecond."""
    return running(make_cluster, members=2, mode="master-slave", first_role="SYNC_MASTER", config=SETTINGS)


async def test_stored_without_a_slave_is_indeterminate_and_busy_is_refused(short: Wire, client: Client) -> None:
    broker, slave = short.brokers
    topic = await short.topic(client, queues=1)
    await short.kill(slave)
    async with Producer(client, short.nameserver, timeout=60) as producer:
        messages = [Message(b"%d" % number) for number in range(5000)]
        outcomes = await asyncio.gather(*(producer.send(topic, message) for message in messages))
    refused = {each.body for each, outcome in zip(messages, outcomes, strict=True) if isinstance(outcome, Refused)}
    assert {outcome.code for outcome in outcomes if isinstance(outcome, Refused)} == {2}
    places = {
        outcome.position: message.body
        for message, outcome in zip(messages, outcomes, strict=True)
        if isinstance(outcome, Indeterminate) and outcome.code == 11
    }
    assert len(refused) + len(places) == 5000
    await dispatched(client, broker)
    end = await Admin(client).max_offset(broker, topic, 0)
    read = {
        Position("group-0", 0, each.offset, each.msg_id): each.body
        async for each in Consumer(client).drain(broker, topic, 0, end)
    }
    assert read == places
    assert not refused & set(read.values())

"""The wire client against a real NameServer and one plain broker."""

from __future__ import annotations

import asyncio
import time

import pytest

from rmqops.errors import BrokerError, RequestTimeout
from rmqops.model.releases import DEFAULT_VERSION
from rmqops.remoting.admin import Admin, Offsets
from rmqops.remoting.client import Client
from rmqops.remoting.codec import Decoder, Frame, Serialization, encode
from rmqops.remoting.codes import Permission, RequestCode
from rmqops.remoting.consumer import Consumer, PullStatus
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Refused
from rmqops.remoting.producer import Producer, by_key
from rmqops.remoting.routes import TopicConfig
from tests.remoting.wire import Wire, dispatched
from tests.support.waiting import until_async

pytestmark = pytest.mark.e2e


@pytest.fixture
def broker(plain: Wire) -> str:
    (address,) = plain.brokers
    return address


async def test_cluster_and_topics(plain: Wire, broker: str, client: Client) -> None:
    admin = Admin(client)
    info = await admin.cluster_info(plain.nameserver)
    assert info.clusters == {plain.topology.cluster: ("group-0",)}
    assert info.groups["group-0"].master == broker
    topic = await plain.topic(client, queues=3)
    assert topic in await admin.topics(plain.nameserver)
    permission = Permission.READ | Permission.WRITE
    assert (await admin.topic_configs(broker))[topic] == TopicConfig(topic, 3, 3, permission)
    await admin.create_topic(broker, topic, queues=2, read_queues=3, permission=Permission.READ)

    async def changed() -> bool:
        route = await admin.route(plain.nameserver, topic)
        return route is not None and not route.queues["group-0"].writable

    await until_async(changed, "the new permission in the route", 10)
    assert (await admin.topic_configs(broker))[topic] == TopicConfig(topic, 3, 2, Permission.READ)


async def test_deleting_a_topic(plain: Wire, broker: str, client: Client) -> None:
    admin = Admin(client)
    topic = await plain.topic(client)
    await admin.delete_topic_in_broker(broker, topic)
    await admin.delete_topic_in_nameserver(plain.nameserver, topic)
    assert topic not in await admin.topic_configs(broker)
    assert await admin.route(plain.nameserver, topic) is None
    with pytest.raises(BrokerError) as caught:
        await Consumer(client).pull(broker, topic, 0, 0)
    assert caught.value.code == 17


async def test_offsets_of_a_queue(plain: Wire, broker: str, client: Client) -> None:
    admin = Admin(client)
    topic = await plain.topic(client, queues=1)
    assert await admin.offsets(broker, topic, 0) == Offsets(0, 0)
    async with Producer(client, plain.nameserver) as producer:
        for number in range(5):
            assert isinstance(await producer.send(topic, Message(b"%d" % number)), Acknowledged)
    await dispatched(client, broker)
    assert await admin.offsets(broker, topic, 0) == Offsets(0, 5)
    consumed = [message async for message in Consumer(client).drain(broker, topic, 0, 5)]
    # Of several messages of one millisecond a broker names any (``ConsumeQueue.getOffsetInQueueByTime``).
    first = await admin.offset_at(broker, topic, 0, consumed[0].store_ms)
    assert consumed[first].store_ms == consumed[0].store_ms
    assert await admin.offset_at(broker, topic, 0, int(time.time() * 1000) + 60_000) == 4
    assert await admin.max_offset(broker, "no-such-topic", 0) == 0


async def test_a_consumer_groups_offsets(plain: Wire, broker: str, client: Client) -> None:
    admin = Admin(client)
    topic = await plain.topic(client, queues=1)
    assert await admin.consumer_offset(broker, "some-group", topic, 0) == 0
    await admin.update_consumer_offset(broker, "some-group", topic, 0, 7)
    assert await admin.consumer_offset(broker, "some-group", topic, 0) == 7


async def test_runtime_info(plain: Wire, broker: str, client: Client) -> None:
    topic = await plain.topic(client, queues=1)
    async with Producer(client, plain.nameserver) as producer:
        assert isinstance(await producer.send(topic, Message(b"x")), Acknowledged)  # an empty log has no minimum
    await dispatched(client, broker)
    info = await Admin(client).runtime_info(broker)
    assert info.version == f"V{DEFAULT_VERSION.replace('.', '_')}"
    assert info.log_max >= info.log_min >= 0
    assert int(info.values["bootTimestamp"]) <= time.time() * 1000


async def test_what_a_broker_refuses_it_refuses_in_its_own_words(plain: Wire, broker: str, client: Client) -> None:
    topic = await plain.topic(client, queues=1)
    async with Producer(client, plain.nameserver) as producer:
        too_long = await producer.send(topic, Message(b"x" * (4 << 20)))
        too_many = await producer.send(topic, Message(b"x", properties={"p": "v" * 32_768}))
        unknown = await producer.send("no-such-topic", Message(b"x"))
        await Admin(client).delete_topic_in_broker(broker, topic)
        deleted = await producer.send(topic, Message(b"x"))
    for outcome in (too_long, too_many):
        assert isinstance(outcome, Refused)
        assert outcome.code == 13
        assert outcome.reason.startswith("the message is illegal")
    assert isinstance(unknown, Refused)
    assert unknown.code is None
    assert isinstance(deleted, Refused)
    assert deleted.code == 17
    assert deleted.reason.startswith(f"topic[{topic}] not exist")
    assert (await Admin(client).offsets(broker, topic, 0)).max == 0


async def test_bodies_of_every_size_come_back(plain: Wire, broker: str, client: Client) -> None:
    topic = await plain.topic(client, queues=1)
    bodies = [b"", b"x", "☃".encode(), b"y" * 65_536, b"z" * 4_000_000, b"end"]
    async with Producer(client, plain.nameserver) as producer:
        outcomes = [await producer.send(topic, Message(body, key=str(len(body)))) for body in bodies]
    assert [outcome.offset for outcome in outcomes if isinstance(outcome, Acknowledged)] == list(range(6))
    read = [message async for message in Consumer(client).drain(broker, topic, 0, 6)]
    assert [message.body for message in read] == bodies
    assert [message.key for message in read] == [str(len(body)) for body in bodies]


@pytest.mark.parametrize("topic", ["größe-漢字", "ü" * 63, "t" * 127], ids=["unicode", "126 bytes", "127 bytes"])
async def test_topics_up_to_127_bytes_are_stored_and_read(
    plain: Wire, broker: str, client: Client, topic: str
) -> None:
    await plain.topic(client, topic, queues=1)
    async with Producer(client, plain.nameserver) as producer:
        assert isinstance(await producer.send(topic, Message(b"x")), Acknowledged)
    (read,) = [message async for message in Consumer(client).drain(broker, topic, 0, 1)]
    assert read.topic == topic


async def test_thousands_in_flight_are_each_acknowledged_once(plain: Wire, broker: str, client: Client) -> None:
    topic = await plain.topic(client, queues=4)
    async with Producer(client, plain.nameserver, choice=by_key, timeout=60) as producer:
        messages = [Message(b"%d" % number, key=str(number)) for number in range(3000)]
        outcomes = await asyncio.gather(*(producer.send(topic, message) for message in messages))
    stored = {
        (outcome.queue, outcome.offset): message.body
        for outcome, message in zip(outcomes, messages, strict=True)
        if isinstance(outcome, Acknowledged)
    }
    await dispatched(client, broker)
    read = {
        (queue, message.offset): message.body
        for queue in range(4)
        async for message in Consumer(client).drain(
            broker, topic, queue, await Admin(client).max_offset(broker, topic, queue)
        )
    }
    assert stored == {place: body for place, body in read.items() if place in stored}
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(read) == len(stored) == 3000 - len(refused)


async def test_a_long_poll_is_answered_when_a_message_comes(plain: Wire, broker: str, client: Client) -> None:
    topic = await plain.topic(client, queues=1)
    consumer = Consumer(client)
    waiting = asyncio.create_task(consumer.pull(broker, topic, 0, 0, suspend=15))
    async with Producer(client, plain.nameserver) as producer:
        assert (await consumer.pull(broker, topic, 0, 0)).status is PullStatus.NOT_FOUND
        assert not waiting.done()
        await producer.send(topic, Message(b"at last"))
    async with asyncio.timeout(10):
        pulled = await waiting
    assert [message.body for message in pulled.messages] == [b"at last"]


async def test_an_offset_outside_of_the_queue_is_a_value(plain: Wire, broker: str, client: Client) -> None:
    topic = await plain.topic(client, queues=1)
    async with Producer(client, plain.nameserver) as producer:
        await producer.send(topic, Message(b"x"))
    await dispatched(client, broker)
    pulled = await Consumer(client).pull(broker, topic, 0, 100)
    assert pulled.status is PullStatus.OFFSET_MOVED
    assert (pulled.min_offset, pulled.max_offset) == (0, 1)


async def test_a_request_that_a_broker_does_not_know_is_never_answered(broker: str, client: Client) -> None:
    """``AdminBrokerProcessor`` takes every code that no other processor has, and returns null for the rest."""
    with pytest.raises(RequestTimeout, match=f"{broker} did not answer request 9999 within 0.2 s"):
        await client.call(broker, 9999, timeout=0.2)


async def test_a_header_in_the_rocketmq_serialization_is_understood(plain: Wire, broker: str) -> None:
    """The binary form as we write it, read by the peer; its answer is JSON, as its own default says."""
    host, port = plain.nameserver.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    topic = "TBW-ü"
    writer.write(
        encode(Frame(RequestCode.GET_ROUTE_BY_TOPIC, 77, fields={"topic": topic}), Serialization.ROCKETMQ)
    )
    decoder = Decoder()
    frames: list[Frame] = []
    async with asyncio.timeout(5):
        while not frames:
            frames += decoder.feed(await reader.read(65536))
    assert (frames[0].opaque, frames[0].code) == (77, 17)
    assert topic in str(frames[0].remark)
    writer.close()
    await writer.wait_closed()

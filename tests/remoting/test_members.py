"""Two groups of a master and a slave: who takes a message, who refuses it, and who serves it (S6, S7, S8).

group-0 has ``slaveReadEnable`` as it is by default, false; group-1 has it true. With
``accessMessageInMemoryMaxRatio`` 0 a broker takes everything behind the end of its log for slow
(``DefaultMessageStore.getMessage``).
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from rmqops.errors import ConnectFailed, ConnectionLost
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.consumer import Consumer, PullStatus
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Refused
from rmqops.remoting.producer import Producer, by_key
from rmqops.remoting.routes import WriteQueue
from tests.remoting.wire import Wire, running
from tests.support.clusters import Cluster
from tests.support.waiting import until_async

pytestmark = pytest.mark.e2e

QUEUES = 4
MASTER = 0
SLAVE = 1


@pytest.fixture(scope="module")
def pairs(make_cluster: Callable[..., Cluster]) -> Wire:
    return running(
        make_cluster,
        members=2,
        groups=2,
        mode="master-slave",
        config={"accessMessageInMemoryMaxRatio": 0},
        of_group={1: {"slaveReadEnable": True}},
    )


@pytest.fixture
async def members(pairs: Wire, client: Client) -> dict[str, dict[int, str]]:
    """Return the addresses of each group's members by their broker id."""
    groups = (await Admin(client).cluster_info(pairs.nameserver)).groups
    return {name: dict(group.addresses) for name, group in groups.items()}


async def _ends(client: Client, address: str, topic: str) -> list[int]:
    return [await Admin(client).max_offset(address, topic, queue) for queue in range(QUEUES)]


async def _level(client: Client, group: dict[int, str], topic: str, least: int) -> None:
    async def copied() -> bool:
        ends = [await _ends(client, address, topic) for address in group.values()]
        return ends[0] == ends[1] and sum(ends[0]) >= least

    await until_async(copied, "the slave as long as its master", 30)


async def test_by_turns_each_group_takes_its_half_and_each_slave_holds_the_same(
    pairs: Wire, client: Client, members: dict[str, dict[int, str]]
) -> None:
    topic, number = await pairs.topic(client, queues=QUEUES), 2000
    async with Producer(client, pairs.nameserver) as producer:
        outcomes = [await producer.send(topic, Message(b"%d" % n)) for n in range(number)]
    # A loaded machine may leave a send or two without an answer: the shares are those of what was acknowledged.
    acknowledged = {
        (outcome.broker, outcome.queue, outcome.offset): b"%d" % n
        for n, outcome in enumerate(outcomes)
        if isinstance(outcome, Acknowledged)
    }
    unknown = number - len(acknowledged)
    assert unknown <= 0.01 * number
    shares = Counter(broker for broker, _, _ in acknowledged)
    assert shares.keys() == members.keys()
    for share in shares.values():
        assert abs(share - len(acknowledged) / 2) <= 0.02 * len(acknowledged) / 2
    masters = {outcome.address for outcome in outcomes if isinstance(outcome, Acknowledged)}
    assert masters == {group[MASTER] for group in members.values()}
    for name, group in members.items():
        await _level(client, group, topic, shares[name])
        held = {}
        for address in group.values():
            held[address] = [
                (queue, message.offset, message.body)
                for queue, end in enumerate(await _ends(client, address, topic))
                async for message in Consumer(client).drain(address, topic, queue, end)
            ]
        assert held[group[MASTER]] == held[group[SLAVE]]
        there = {(name, queue, offset): body for queue, offset, body in held[group[MASTER]]}
        assert there.items() >= {place: body for place, body in acknowledged.items() if place[0] == name}.items()
        assert len(there) <= shares[name] + unknown


async def test_one_keys_messages_lie_in_one_queue_as_they_were_sent(
    pairs: Wire, client: Client, members: dict[str, dict[int, str]]
) -> None:
    topic, keys, each = await pairs.topic(client, queues=QUEUES), 40, 10
    places: dict[str, set[tuple[str, int]]] = {}
    async with Producer(client, pairs.nameserver, choice=by_key) as producer:
        for n in range(each):
            for key in map(str, range(keys)):
                outcome = await producer.send(topic, Message(b"%s %d" % (key.encode(), n), key=key))
                assert isinstance(outcome, Acknowledged)
                places.setdefault(key, set()).add((outcome.broker, outcome.queue))
    assert {len(found) for found in places.values()} == {1}
    spread = sorted({place for found in places.values() for place in found})
    assert {broker for broker, _ in spread} == members.keys()
    slots = [(name, queue) for name in sorted(members) for queue in range(QUEUES)]
    assert {key: {slots[zlib.crc32(key.encode()) % len(slots)]} for key in places} == places
    for name, queue in spread:
        address = members[name][MASTER]
        end = await Admin(client).max_offset(address, topic, queue)
        read = [message async for message in Consumer(client).drain(address, topic, queue, end)]
        for one in {message.key for message in read}:
            numbers = [int(message.body.split()[1]) for message in read if message.key == one]
            assert numbers == list(range(each))


async def test_a_slave_refuses_a_message_and_stores_nothing(
    pairs: Wire, client: Client, members: dict[str, dict[int, str]]
) -> None:
    topic = await pairs.topic(client, queues=QUEUES)
    for name, group in members.items():

        def to_the_slave(
            queues: Sequence[WriteQueue], _message: Message, name: str = name, slave: str = group[SLAVE]
        ) -> WriteQueue:
            return replace(next(one for one in queues if one.broker == name), address=slave)

        async with Producer(client, pairs.nameserver, choice=to_the_slave) as producer:
            outcome = await producer.send(topic, Message(b"x"))
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.address) == (14, group[SLAVE])
        assert outcome.reason.startswith("service not available now")
        for address in group.values():
            assert await _ends(client, address, topic) == [0] * QUEUES


async def test_each_member_serves_pulls_and_the_slave_does_while_its_master_is_dead(
    pairs: Wire, client: Client, members: dict[str, dict[int, str]]
) -> None:
    topic, number = await pairs.topic(client, queues=QUEUES), 80
    async with Producer(client, pairs.nameserver) as producer:
        for n in range(number):
            assert isinstance(await producer.send(topic, Message(b"%d" % n)), Acknowledged)
    consumer = Consumer(client)
    for name, group in members.items():
        await _level(client, group, topic, number // 2)
        for member, address in group.items():
            pulled = await consumer.pull(address, topic, 0, 0)
            assert (pulled.address, pulled.status) == (address, PullStatus.FOUND)
            # PullMessageProcessor: without slaveReadEnable it names the master, and serves all the same.
            assert (member, pulled.suggested_broker_id) == (member, SLAVE if name == "group-1" else MASTER)

        await pairs.kill(group[MASTER])
        try:
            with pytest.raises((ConnectFailed, ConnectionLost)):
                await consumer.pull(group[MASTER], topic, 0, 0)
            slave = group[SLAVE]
            read = [
                message.body
                for queue, end in enumerate(await _ends(client, slave, topic))
                async for message in consumer.drain(slave, topic, queue, end)
            ]
            assert len(set(read)) == len(read) == number // 2
        finally:
            await pairs.start(group[MASTER])
            await pairs.healthy()

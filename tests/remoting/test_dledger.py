"""The wire client against a real DLedger group: what members hold, and what sends mean while masters die."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.consumer import Consumer, PullStatus
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Indeterminate, Outcome, Refused
from rmqops.remoting.producer import Producer, RetryPolicy
from rmqops.remoting.routes import WriteQueue, level
from tests.remoting.wire import Wire
from tests.support.waiting import until_async

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("quiet")]

QUEUES = 4


async def members(wire: Wire, client: Client) -> tuple[str, list[str]]:
    """Return the master and the slaves once the group is whole."""
    await wire.healthy()
    group = (await Admin(client).cluster_info(wire.nameserver)).groups[wire.group]
    assert group.master is not None
    return group.master, list(group.slaves.values())


async def levelled(wire: Wire, client: Client) -> None:
    admin = Admin(client)

    async def same() -> bool:
        return level({address: await admin.runtime_info(address) for address in wire.brokers})

    await until_async(same, "replicas level", 60)


async def held(client: Client, address: str, topic: str) -> dict[tuple[int, int], bytes]:
    """Return everything one member holds of a topic, by queue and offset."""
    admin, consumer = Admin(client), Consumer(client)
    return {
        (queue, message.offset): message.body
        for queue in range(QUEUES)
        async for message in consumer.drain(address, topic, queue, await admin.max_offset(address, topic, queue))
    }


async def test_every_member_holds_the_same_messages(dledger: Wire, client: Client) -> None:
    topic = await dledger.topic(client, queues=QUEUES)
    async with Producer(client, dledger.nameserver, retry=RetryPolicy(attempts=50)) as producer:
        outcomes = [
            outcome
            for batch in range(20)
            for outcome in await asyncio.gather(*(producer.send(topic, Message(b"%d" % batch)) for _ in range(16)))
        ]
    places = {(each.queue, each.offset) for each in outcomes if isinstance(each, Acknowledged)}
    assert len(places) == 320, [each for each in outcomes if not isinstance(each, Acknowledged)]
    await levelled(dledger, client)
    master, slaves = await members(dledger, client)
    on_master = await held(client, master, topic)
    assert places == set(on_master)
    for slave in slaves:
        assert await held(client, slave, topic) == on_master


async def test_a_slave_answers_a_pull_beyond_its_end_with_retry(dledger: Wire, client: Client) -> None:
    topic = await dledger.topic(client, queues=1)
    async with Producer(client, dledger.nameserver) as producer:
        assert isinstance(await producer.send(topic, Message(b"x")), Acknowledged)
    _, slaves = await members(dledger, client)
    assert [message.body async for message in Consumer(client).drain(slaves[0], topic, 0, 1)] == [b"x"]
    assert (await Consumer(client).pull(slaves[0], topic, 0, 50)).status is PullStatus.RETRY


async def test_a_slave_refuses_a_send(dledger: Wire, client: Client) -> None:
    topic = await dledger.topic(client, queues=1)
    _, slaves = await members(dledger, client)
    slave = slaves[0]
    async with Producer(
        client, dledger.nameserver, choice=lambda _queues, _message: WriteQueue(dledger.group, 0, slave)
    ) as producer:
        outcome = await producer.send(topic, Message(b"x"))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.address) == (14, slave)
    assert outcome.reason.startswith("service not available now")


@dataclass
class Load:
    """Senders that go on until they are told to stop, and what became of each message."""

    outcomes: dict[bytes, Outcome] = field(default_factory=dict)
    stopping: bool = False

    async def run(self, producer: Producer, topic: str, senders: int) -> None:
        async def send_on(sender: int) -> None:
            number = 0
            while not self.stopping:
                body = b"%d-%d" % (sender, number)
                self.outcomes[body] = await producer.send(topic, Message(body))
                number += 1

        async with asyncio.TaskGroup() as group:
            for sender in range(senders):
                group.create_task(send_on(sender))

    def acknowledged_by(self, accept: Callable[[str], bool]) -> int:
        return sum(isinstance(each, Acknowledged) and accept(each.address) for each in self.outcomes.values())

    def check(self, found: dict[tuple[int, int], bytes]) -> None:
        """Hold every outcome against what is there: nothing acknowledged missing, nothing refused present."""
        bodies = set(found.values())
        for body, outcome in self.outcomes.items():
            if isinstance(outcome, Acknowledged):
                assert found.get((outcome.queue, outcome.offset)) == body, outcome
            elif isinstance(outcome, Refused):
                assert body not in bodies, outcome


Act = Callable[[str], Awaitable[None]]
"""Does something to the broker at an address."""


async def fail_over(wire: Wire, act: Act, undo: Act) -> Load:
    """Do something to the master under load, wait for another's acknowledgements, undo it, and check all."""
    load = Load()
    async with Client(request_timeout=2.0) as client:
        topic = await wire.topic(client, queues=QUEUES)
        old, _ = await members(wire, client)
        async with Producer(client, wire.nameserver) as producer:
            sending = asyncio.create_task(load.run(producer, topic, 16))

            async def many_by(wanted: Callable[[str], bool]) -> bool:
                assert not sending.done()
                return load.acknowledged_by(wanted) >= 200

            await until_async(lambda: many_by(lambda address: address == old), "200 acknowledged", 60)
            await act(old)
            try:
                await until_async(lambda: many_by(lambda address: address != old), "200 by the new master", 120)
            finally:
                await undo(old)
                load.stopping = True
                await sending
        await members(wire, client)
        await levelled(wire, client)
        for address in wire.brokers:
            load.check(await held(client, address, topic))
    return load


async def test_a_killed_master(dledger: Wire) -> None:
    load = await fail_over(dledger, dledger.kill, dledger.start)
    assert any(isinstance(each, Refused) and each.code is None for each in load.outcomes.values())


async def test_a_frozen_master(dledger: Wire) -> None:
    load = await fail_over(dledger, dledger.freeze, dledger.thaw)
    assert any(
        isinstance(each, Indeterminate) and "did not answer" in each.reason for each in load.outcomes.values()
    )


async def test_a_master_without_a_majority_leaves_a_send_indeterminate(dledger: Wire) -> None:
    async with Client(request_timeout=10.0) as client:
        topic = await dledger.topic(client, queues=QUEUES)
        master, slaves = await members(dledger, client)
        async with Producer(client, dledger.nameserver) as producer:
            assert isinstance(await producer.send(topic, Message(b"before")), Acknowledged)
            for slave in slaves:
                await dledger.freeze(slave)
            try:
                outcome = await producer.send(topic, Message(b"alone"))
            finally:
                for slave in slaves:
                    await dledger.thaw(slave)
    assert isinstance(outcome, Indeterminate)
    assert (outcome.code, outcome.address) == (1, master)
    assert outcome.reason.startswith(("[PC_SYNCHRONIZED]", "UNKNOWN_ERROR"))
    await dledger.healthy()  # slaves that stood still for long elect anew

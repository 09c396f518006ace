"""A topic on a DLedger group from its creation to its end, and what is read back from every member in between."""

from __future__ import annotations

import time

import pytest

from rmqops.chaos.history.batches import BATCH, Batch
from rmqops.chaos.run.readback import Reader
from rmqops.model.history import Event
from rmqops.operations.topics import topics
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged
from rmqops.remoting.producer import Producer
from tests.remoting.wire import Wire

pytestmark = pytest.mark.e2e


async def test_every_member_is_read_back_in_batches_and_every_member_forgets_the_topic(
    dledger: Wire, client: Client
) -> None:
    topology = dledger.topology
    admin = Admin(client)
    await topics.create(topology, client, "replicated", 2)
    for member in topology.brokers:
        assert (await admin.topic_configs(member.address))["replicated"].write_queues == 2
    async with Producer(client, [dledger.nameserver]) as producer:
        for number in range(101):
            assert isinstance(await producer.send("replicated", Message(b"key-%d x" % number)), Acknowledged)
    group = topology.groups[0]
    master = (await topics.cluster(topology, admin)).groups[group.name].master
    leader = next(member for member in group.members if member.address == master)
    told: list[Event | Batch] = []
    begin = time.monotonic()

    reader = Reader(
        topology, client, "replicated", 2, emit=told.append, now=lambda: round(time.monotonic() - begin, 6)
    )
    done = await reader.read({group.name: leader}, 60)

    assert (done.messages, done.members, done.failures) == (303, 3, ())
    batches = [record for record in told if isinstance(record, Batch)]
    assert max(len(batch.keys) for batch in batches) == BATCH
    for member in group.members:
        mine = [
            each for batch in batches if batch.first.process == f"drain-{member.name}" for each in batch.events()
        ]
        assert sorted(each.key or "" for each in mine) == sorted(f"key-{number}" for number in range(101))
        for queue in (0, 1):
            held = [each.offset for each in mine if each.queue == queue]
            assert held == list(range(len(held)))

    assert set(await topics.delete(topology, client, "replicated")) == {
        instance.name for instance in topology.instances
    }
    for member in topology.brokers:
        assert "replicated" not in await admin.topic_configs(member.address)

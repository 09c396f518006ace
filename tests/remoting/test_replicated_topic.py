"""A topic on a DLedger group from its creation to its end, and what is read back from every member in between."""

from __future__ import annotations

import time

import pytest

from rmqops.chaos.history.batches import BATCH, Batch
from rmqops.chaos.run.readback import Reader
from rmqops.model.history import Event
from rmqops.model.topology import Group, Topology
from rmqops.operations.topics import topics
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged
from rmqops.remoting.producer import Producer
from tests.remoting.lab import Lab
from tests.support.instances import instance

pytestmark = pytest.mark.e2e


def _topology(lab: Lab) -> Topology:
    def port(address: str) -> int:
        return int(address.rsplit(":", maxsplit=1)[-1])

    server = instance("namesrv-1", "/nowhere", kind="namesrv", port=port(lab.nameserver))
    members = tuple(
        instance(f"broker-{number}", "/nowhere", group="group-0", port=port(address))
        for number, address in enumerate(lab.brokers)
    )
    return Topology(lab.cluster, "4.5.2", "lab.yml", (server,), (Group("group-0", "dledger", members),), True)


async def test_every_member_is_read_back_in_batches_and_every_member_forgets_the_topic(
    dledger: Lab, client: Client
) -> None:
    topology = _topology(dledger)
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
        "namesrv-1",
        "broker-0",
        "broker-1",
        "broker-2",
    }
    for member in topology.brokers:
        assert "replicated" not in await admin.topic_configs(member.address)

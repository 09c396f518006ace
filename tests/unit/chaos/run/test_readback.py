"""The read-back: to the ends of the master, from every member, and what it says where that cannot be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rmqops.chaos.history.batches import Batch
from rmqops.chaos.load.clients.settings import body
from rmqops.chaos.run.readback import ReadBack, Reader
from rmqops.model.history import Event
from rmqops.model.topology import Instance
from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster

TOPIC = "drill"


@pytest.fixture
def cluster() -> ScriptedCluster:
    """Two groups with 40 and 2 messages in the first of two queues, and one in the second."""
    made = ScriptedCluster(topology(groups=2, nameservers=1))
    for group, count in (("broker-a", 40), ("broker-b", 2)):
        for number in range(count):
            made.append(group, TOPIC, 0, body(f"{group}-{number}", 32))
        made.append(group, TOPIC, 1, body(f"{group}-last", 32))
    return made


class Trial:
    """A reader, and what it put on record."""

    def __init__(self, cluster: ScriptedCluster, **options: object) -> None:
        self.cluster = cluster
        self.records: list[Event | Batch] = []
        self._options = options

    def read(self, levelling: float = 1.0) -> ReadBack:
        masters = {group.name: group.members[0] for group in self.cluster.topology.groups}
        return self.cluster.clock.run(self._read(masters, levelling))

    def read_each(self, *names: str) -> ReadBack:
        members = [self.cluster.topology.instance(name) for name in names]
        return self.cluster.clock.run(self._read_each(members))

    async def _read(self, masters: dict[str, Instance], levelling: float) -> ReadBack:
        async with self.cluster.environment().clients() as client:
            return await self._reader(client).read(masters, levelling)

    async def _read_each(self, members: list[Instance]) -> ReadBack:
        async with self.cluster.environment().clients() as client:
            return await self._reader(client).read_each(members)

    def _reader(self, client: object) -> Reader:
        return Reader(
            self.cluster.topology,
            client,  # type: ignore[arg-type]
            TOPIC,
            2,
            emit=self.records.append,
            now=self.cluster.clock,
            **self._options,  # type: ignore[arg-type]
        )

    def events(self) -> Iterator[Event]:
        for record in self.records:
            yield from record.events() if isinstance(record, Batch) else [record]


def test_every_queue_of_every_member_is_read_masters_first(cluster: ScriptedCluster) -> None:
    trial = Trial(cluster)
    assert trial.read() == ReadBack(messages=3 * (41 + 3), members=6, failures=())
    events = list(trial.events())
    order = list(dict.fromkeys(event.process for event in events))
    assert order[:2] == ["drain-broker-a-0", "drain-broker-b-0"]
    assert len(order) == 6
    ends = [
        (event.queue, event.offset) for event in events if event.type == "invoke" and event.process == order[0]
    ]
    assert ends == [(0, 40), (1, 1)]
    keys = [event.key for event in events if event.type == "ok" and event.process == "drain-broker-b-2"]
    assert keys == ["broker-b-0", "broker-b-1", "broker-b-last"]
    assert any(isinstance(record, Batch) for record in trial.records)


def test_a_member_that_lacks_messages_is_said_to_lack_them_and_read_to_its_own_end(
    cluster: ScriptedCluster,
) -> None:
    cluster.lacking["broker-b-1"] = 1
    trial = Trial(cluster)
    answer = trial.read()
    assert "replicas level: not within 1 s; last seen: broker-b-1 ends at {0: 1, 1: 0}" in answer.failures[0]
    ends = {
        event.process: event.offset
        for event in trial.events()
        if (event.type, event.broker, event.queue) == ("invoke", "broker-b", 0)
    }
    assert ends == {"drain-broker-b-0": 2, "drain-broker-b-1": 1, "drain-broker-b-2": 2}


def test_a_member_that_says_nothing_is_left_out_and_the_others_are_read(cluster: ScriptedCluster) -> None:
    cluster.dead.add("broker-b-0")
    trial = Trial(cluster)
    answer = trial.read()
    assert (answer.messages, answer.members) == (3 * 41 + 2 * 3, 5)
    assert "broker-b-0 does not say where its queues end" in answer.failures[0]
    assert "drain-broker-b-0" not in {event.process for event in trial.events()}


def test_members_are_read_as_they_are_each_to_its_own_end(cluster: ScriptedCluster) -> None:
    cluster.lacking["broker-a-1"] = 1
    cluster.dead.add("broker-a-2")
    trial = Trial(cluster, prefix="reader-1-", value={"role": "SYNC_MASTER"})
    answer = trial.read_each("broker-a-1", "broker-a-2")
    assert (answer.messages, answer.members) == (39, 1)
    assert "broker-a-2 does not say where its queues end" in answer.failures[0]
    assert {event.process for event in trial.events()} == {"reader-1-broker-a-1"}
    assert all(
        event.value == ({"role": "SYNC_MASTER"} if event.type == "invoke" else None) for event in trial.events()
    )

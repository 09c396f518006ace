"""Topics are made and deleted everywhere, until everybody knows; those of the system are left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from rmqops.errors import Unsafe, UsageError
from rmqops.operations.topics import topics
from rmqops.remoting.client import Client
from rmqops.remoting.codes import Permission
from rmqops.remoting.routes import BrokerGroup, ClusterInfo, TopicConfig, TopicQueues, TopicRoute
from tests.support.instances import topology
from tests.support.scripted_fleet import ScriptedFleet


@pytest.mark.parametrize("topic", ["TBW102", "SCHEDULE_TOPIC_XXXX", "rmq_sys_x", "trial", "broker-a"])
def test_topics_of_the_system_are_left_alone(topic: str) -> None:
    assert topics.is_system(topic, topology())
    with pytest.raises(Unsafe, match="topic of the system"):
        topics.refuse_system(topic, topology())


def test_other_topics_are_nobodys_but_the_users() -> None:
    assert not any(topics.is_system(topic, topology()) for topic in ("orders", "%DLQ%g", "broker-z"))


def test_groups_are_chosen_by_name_in_the_clusters_order() -> None:
    cluster = topology(groups=3)
    assert [one.name for one in topics.choose(cluster, ["broker-c", "broker-a"])] == ["broker-a", "broker-c"]
    assert len(topics.choose(cluster, ())) == 3
    with pytest.raises(UsageError, match="there is no group broker-z"):
        topics.choose(cluster, ["broker-a", "broker-z"])


class Electing:
    """Brokers whose master changes right after it was asked to create a topic; slaves take over its list."""

    def __init__(self, brokers: Sequence[str]) -> None:
        self.order = list(brokers)
        self.lists: dict[str, dict[str, TopicConfig]] = {broker: {} for broker in brokers}
        self.created: list[str] = []

    async def cluster_info(self, _nameserver: str) -> ClusterInfo:
        return ClusterInfo({"broker-a": BrokerGroup("broker-a", "C", dict(enumerate(self.order)))}, {})

    async def create_topic(
        self, broker: str, topic: str, *, queues: int, read_queues: int | None, permission: Permission
    ) -> None:
        self.lists[broker][topic] = TopicConfig(topic, read_queues or queues, queues, permission)
        self.created.append(broker)
        if len(self.created) == 1:
            self.order.reverse()

    async def topic_configs(self, broker: str) -> dict[str, TopicConfig]:
        mine = dict(self.lists[broker])
        self.lists[broker] = dict(self.lists[self.order[0]])
        return mine

    async def route(self, _nameserver: str, topic: str) -> TopicRoute:
        kept = self.lists[self.order[0]][topic]
        queues = TopicQueues("broker-a", kept.read_queues, kept.write_queues, kept.permission)
        return TopicRoute(topic, {"broker-a": queues}, {})


async def test_a_topic_is_created_again_on_a_master_elected_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = topology()
    brokers = [broker.address for broker in cluster.brokers]
    admin = Electing(brokers)
    monkeypatch.setattr(topics, "Admin", lambda _client: admin)

    await topics.create(cluster, Client(), "drill", 4)

    assert admin.created[:2] == [brokers[0], brokers[-1]]
    assert all("drill" in known for known in admin.lists.values())


async def test_a_topic_is_on_every_member_of_the_groups_and_gone_from_all_of_them(
    new_fleet: Callable[..., ScriptedFleet],
) -> None:
    scripted = new_fleet()
    scripted.deploy()

    def holders() -> list[str]:
        return [name for name, each in scripted.instances.items() if "orders" in each.topics]

    async with Client() as client:
        await topics.create(scripted.topology, client, "orders", 4, groups=["broker-a"])
        assert holders() == ["broker-a-0", "broker-a-1"]
        await topics.create(scripted.topology, client, "orders", 4)
        assert holders() == ["broker-a-0", "broker-a-1", "broker-b-0", "broker-b-1"]
        had = await topics.delete(scripted.topology, client, "orders")
        assert had == ("broker-a-0", "broker-b-0", "broker-a-1", "broker-b-1")
        assert holders() == []
        assert await topics.delete(scripted.topology, client, "orders") == ()


async def test_a_name_that_clients_refuse_is_refused() -> None:
    with pytest.raises(UsageError, match="clients refuse to use it"):
        await topics.create(topology(), Client(), "a topic", 1)

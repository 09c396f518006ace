"""What is told of topics and consumer groups, from what was answered."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rmqops.errors import Unsafe, UsageError
from rmqops.operations.topics import consumer_group_status, topics
from rmqops.operations.topics.topic_status import MemberShare, TopicStatus, differences
from rmqops.remoting.admin import Offsets
from rmqops.remoting.client import Client
from rmqops.remoting.codes import Permission
from rmqops.remoting.consumers import Queue
from rmqops.remoting.routes import BrokerGroup, ClusterInfo, TopicConfig, TopicQueues, TopicRoute
from tests.support.instances import topology

RW = Permission.READ | Permission.WRITE


def route(*names: str, write: int = 4, master: str | None = "h:1") -> TopicRoute:
    addresses = {} if master is None else {0: master}
    return TopicRoute(
        "t",
        {name: TopicQueues(name, 4, write, RW) for name in names},
        {name: BrokerGroup(name, "C", addresses) for name in names},
    )


def share(group: str, *spans: tuple[int, int], master: bool = True) -> MemberShare:
    return MemberShare(group, f"{group}-x", "h:1", master, tuple(Offsets(*span) for span in spans))


def test_the_share_of_a_group_is_what_its_master_holds_of_all() -> None:
    members = (share("a", (0, 10), (5, 10)), share("a", (0, 99), master=False), share("b", (0, 45)))
    status = TopicStatus("t", {"n": route("a", "b")}, members, ())

    assert (status.messages, status.share("a"), status.share("b")) == (60, 0.25, 0.75)


def test_without_a_master_the_slave_that_holds_most_speaks() -> None:
    members = (share("a", (0, 3), master=False), share("a", (0, 4), master=False))
    silent = MemberShare("b", "b-x", "h:1", True, None)

    status = TopicStatus("t", {"n": route("a", "b")}, (*members, silent), ())

    assert (status.messages, status.share("a"), status.share("b")) == (4, 1.0, None)


def test_nothing_has_no_shares() -> None:
    assert TopicStatus("t", {"n": route("a")}, (share("a", (7, 7)),), ()).share("a") is None


def test_nameservers_that_agree_differ_in_nothing() -> None:
    assert differences({"n1": route("a", "b"), "n2": route("b", "a")}) == ()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (None, "n2: does not know the topic"),
        (route("a", write=2), "n2: a rw, 2 to write, 4 to read, master h:1"),
        (route("a", master=None), "n2: a rw, 4 to write, 4 to read, master none"),
        (route(), "n2: no queues"),
    ],
)
def test_nameservers_that_differ_are_told_with_what_each_says(other: TopicRoute | None, said: str) -> None:
    assert differences({"n1": route("a"), "n2": other, "n3": route("a")}) == (
        "n1, n3: a rw, 4 to write, 4 to read, master h:1",
        said,
    )


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


def test_a_queue_may_have_two_holders_for_a_moment() -> None:
    one, two = Queue("t", "a", 0), Queue("t", "a", 1)
    assert consumer_group_status.holders({"y": [one], "x": [one, two]}) == {one: ("x", "y"), two: ("x",)}


@pytest.mark.parametrize(
    ("name", "system"), [("TOOLS_CONSUMER", True), ("CID_RMQ_SYS_TRANS", True), ("mine", False)]
)
def test_groups_of_the_system(name: str, system: bool) -> None:
    assert consumer_group_status.is_system(name) is system


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

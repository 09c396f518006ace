"""What is told of topics, from what was answered; and what a whole cluster answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rmqops.errors import OperationFailed
from rmqops.operations.topics import topic_status
from rmqops.operations.topics.topic_status import MemberShare, TopicStatus, differences
from rmqops.remoting.admin import Offsets
from rmqops.remoting.client import Client
from rmqops.remoting.codes import Permission
from rmqops.remoting.routes import BrokerGroup, TopicQueues, TopicRoute
from tests.support.scripted_fleet import ScriptedFleet

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


QUEUES = {"perm": 6, "readQueueNums": 2, "writeQueueNums": 2}


@pytest.fixture
def scripted(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """A deployed fleet of two groups, with a topic on one of them."""
    made = new_fleet()
    made.deploy()
    for name in ("broker-a-0", "broker-a-1"):
        made.instances[name].topics = {"orders": dict(QUEUES), "TBW102": dict(QUEUES), "%RETRY%g": dict(QUEUES)}
        made.instances[name].queues = {("orders", 1): [b"x"] * 3}
    return made


async def test_topics_of_people_and_of_the_system_are_kept_apart(scripted: ScriptedFleet) -> None:
    async with Client() as client:
        listed = await topic_status.list_topics(scripted.topology, client)
    assert (listed.names, listed.system, listed.differences) == (("orders",), ("%RETRY%g", "TBW102"), ())
    assert listed.json() == {"topics": ["orders"], "system": ["%RETRY%g", "TBW102"], "differences": []}


async def test_a_nameserver_that_is_down_is_a_difference_and_without_any_there_is_no_answer(
    scripted: ScriptedFleet,
) -> None:
    scripted.kill("namesrv-2")
    async with Client() as client:
        (difference,) = (await topic_status.list_topics(scripted.topology, client)).differences
        assert difference.startswith("namesrv-2 does not answer: ")
        scripted.kill("namesrv-1")
        with pytest.raises(OperationFailed, match=r"no NameServer of .* answers"):
            await topic_status.list_topics(scripted.topology, client)


async def test_a_topic_is_described_by_what_each_member_holds(scripted: ScriptedFleet) -> None:
    async with Client() as client:
        status = await topic_status.describe(scripted.topology, client, "orders")
        assert (status.messages, status.share("broker-a"), status.differences) == (3, 1.0, ())
        assert [(member.name, member.master, member.messages) for member in status.members] == [
            ("broker-a-0", True, 3),
            ("broker-a-1", False, 3),
        ]
        with pytest.raises(OperationFailed, match="no NameServer knows the topic nowhere"):
            await topic_status.describe(scripted.topology, client, "nowhere")

"""Which topics new groups get, and what is asked before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rmqops.errors import PreflightFailed, UsageError
from rmqops.operations.change import scale_out
from rmqops.remoting.client import Client
from rmqops.remoting.codes import Permission
from rmqops.remoting.routes import BrokerGroup, ClusterInfo, TopicConfig
from tests.support.instances import topology

CLUSTER = topology(groups=3, members=1)
RW = Permission.READ | Permission.WRITE


def configs(**queues: int) -> dict[str, TopicConfig]:
    return {name: TopicConfig(name, number, number, RW) for name, number in queues.items()}


HELD = {
    "broker-a": configs(everywhere=4, mine=2, TBW102=8) | {"%RETRY%g": TopicConfig("%RETRY%g", 1, 1, RW)},
    "broker-b": configs(everywhere=8, TBW102=8) | {"rmqops-canary": TopicConfig("rmqops-canary", 1, 1, RW)},
}


def test_topics_of_every_group_are_spread_as_the_first_has_them_and_others_stay() -> None:
    chosen, left = scale_out.choose(CLUSTER, HELD, ())
    assert chosen == (TopicConfig("everywhere", 4, 4, RW),)
    assert left == {"mine": ("broker-a",)}


def test_a_topic_that_is_named_is_spread_and_no_other() -> None:
    chosen, left = scale_out.choose(CLUSTER, HELD, ["mine"])
    assert [one.topic for one in chosen] == ["mine"]
    assert left == {"everywhere": ("broker-a", "broker-b")}


@pytest.mark.parametrize("topic", ["nowhere", "TBW102", "%RETRY%g", "rmqops-canary"])
def test_what_nobody_made_cannot_be_named(topic: str) -> None:
    with pytest.raises(UsageError, match="no group has a topic"):
        scale_out.choose(CLUSTER, HELD, [topic])


class Asked:
    """Brokers that are asked, and no more than asked."""

    def __init__(self, masters: Mapping[str, str]) -> None:
        self.masters = masters

    async def cluster_info(self, _nameserver: str) -> ClusterInfo:
        return ClusterInfo({name: BrokerGroup(name, "C", {0: there}) for name, there in self.masters.items()}, {})

    async def topic_configs(self, address: str) -> dict[str, TopicConfig]:
        name = next(name for name, there in self.masters.items() if there == address)
        return HELD.get(name, configs(mine=1))

    async def subscription_groups(self, address: str) -> dict[str, dict[str, object]]:
        known: dict[str, dict[str, object]] = {"TOOLS_CONSUMER": {}, "billing": {"retryMaxTimes": 3}}
        return known if address != self.masters.get("broker-c") else {}


def asking(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    masters = {group.name: group.members[0].address for group in CLUSTER.groups if group.name in names}
    monkeypatch.setattr(scale_out, "GroupAdmin", lambda _client: Asked(masters))


async def test_a_group_that_does_not_run_yet_lacks_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    asking(monkeypatch, "broker-a", "broker-b")
    spread = await scale_out.prepare(CLUSTER, Client(), CLUSTER.groups[2:])
    assert spread.names == ("everywhere",)
    assert spread.consumers == {"broker-c": {"billing": {"retryMaxTimes": 3}}}


async def test_what_it_has_already_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asking(monkeypatch, "broker-a", "broker-b", "broker-c")
    spread = await scale_out.prepare(CLUSTER, Client(), CLUSTER.groups[2:], ["mine", "everywhere"])
    assert spread.names == ("everywhere",)


async def test_without_a_master_nobody_knows_the_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    asking(monkeypatch, "broker-a")
    with pytest.raises(PreflightFailed, match="group broker-b has no master"):
        await scale_out.prepare(CLUSTER, Client(), CLUSTER.groups[2:])


async def test_a_cluster_that_is_all_new_has_nothing_to_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    asking(monkeypatch, "broker-a")
    with pytest.raises(UsageError, match="no other group"):
        await scale_out.prepare(CLUSTER, Client(), CLUSTER.groups)

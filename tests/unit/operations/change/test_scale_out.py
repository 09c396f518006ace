"""Which topics new groups get, and what is asked before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from rmqops.errors import PreflightFailed, UsageError
from rmqops.model.topology import Group
from rmqops.operations.change import audit, recipe, scale_out
from rmqops.operations.change.recipe import Completed, Consent
from rmqops.operations.change.scale_out import ScaleOut, ScaleOutPlan, TopicSpread
from rmqops.remoting.client import Client
from rmqops.remoting.codes import Permission
from rmqops.remoting.routes import TopicConfig
from tests.support.instances import topology
from tests.support.interrupting import interrupted_at_each_moment
from tests.support.scripted_fleet import ScriptedFleet, artifact, single_inventory

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


def running(new_fleet: Callable[..., ScriptedFleet], *names: str) -> ScriptedFleet:
    """Return a fleet of which some groups run, with what they have."""
    scripted = new_fleet(single_inventory, "4.5.2")
    scripted.deploy(["namesrv-1", "namesrv-2", "namesrv-3", *(f"{name}-0" for name in names)])
    for name in names:
        broker = scripted.instances[f"{name}-0"]
        broker.topics = {
            topic: {"perm": 6, "readQueueNums": config.read_queues, "writeQueueNums": config.write_queues}
            for topic, config in HELD.get(name, configs(mine=1)).items()
        }
        broker.groups = {} if name == "broker-c" else {"TOOLS_CONSUMER": {}, "billing": {"retryMaxTimes": 3}}
    return scripted


async def missing(scripted: ScriptedFleet, groups: Sequence[Group], names: Sequence[str] = ()) -> TopicSpread:
    async with Client() as client:
        return await scale_out.prepare(scripted.topology, client, groups, names)


async def test_a_group_that_does_not_run_yet_lacks_everything(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = running(new_fleet, "broker-a", "broker-b")
    spread = await missing(scripted, scripted.topology.groups[2:])
    assert spread.names == ("everywhere",)
    assert spread.consumers == {"broker-c": {"billing": {"retryMaxTimes": 3}}}


async def test_what_it_has_already_stays_as_it_is(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = running(new_fleet, "broker-a", "broker-b", "broker-c")
    spread = await missing(scripted, scripted.topology.groups[2:], ["mine", "everywhere"])
    assert spread.names == ("everywhere",)


async def test_without_a_master_nobody_knows_the_topics(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = running(new_fleet, "broker-a")
    with pytest.raises(PreflightFailed, match="group broker-b has no master"):
        await missing(scripted, scripted.topology.groups[2:])


async def test_a_cluster_that_is_all_new_has_nothing_to_spread(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = running(new_fleet, "broker-a")
    with pytest.raises(UsageError, match="no other group"):
        await missing(scripted, scripted.topology.groups)


def spread(scripted: ScriptedFleet, *topics: str) -> Completed[ScaleOutPlan, None]:
    verb = ScaleOut(scripted.fleet, scripted.topology.groups[2:], topics, artifact("4.5.2"))
    return recipe.perform(verb, Consent(lambda plan: None), listener=lambda event: None, say=scripted.say)


def grown(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """Two groups that run, with a topic and a consumer group each and one on both; a third is in the inventory."""
    scripted = new_fleet(single_inventory, "4.5.2")
    scripted.artifact = artifact("4.5.2")
    scripted.deploy([name for name in scripted.instances if name != "broker-c-0"])
    for name in ("a", "b"):
        broker = scripted.instances[f"broker-{name}-0"]
        broker.topics = {each: {"perm": 6, "readQueueNums": 4, "writeQueueNums": 4} for each in ("orders", name)}
        broker.groups = {"billing": {"groupName": "billing", "retryMaxTimes": 3}}
    return scripted


def test_a_new_group_is_deployed_and_then_filled(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = grown(new_fleet)
    done = spread(scripted)
    new = scripted.instances["broker-c-0"]
    assert set(new.topics) == {"orders", "rmqops-canary"}
    assert new.groups["billing"]["retryMaxTimes"] == 3
    assert done.plan.spread.left == {"a": ("broker-a",), "b": ("broker-b",)}
    assert scripted.moments == [
        "lock",
        "ask hosts",
        "site broker-c-0",
        "say waiting for health",
        "say spreading topics and consumer groups",
    ]
    assert audit.entries()[0].plan == [
        "broker-c-0: create; brings rocketmq-4.5.2-0123456789abcdef",
        "broker-c gets topic orders (4 queues), consumer group billing",
    ]
    assert spread(scripted).plan.steps == ()


def test_one_that_is_interrupted_at_any_moment_is_finished_by_the_same_command(
    new_fleet: Callable[..., ScriptedFleet],
) -> None:
    for scripted in interrupted_at_each_moment(lambda: grown(new_fleet), spread, moments=20):
        assert not scripted.lock_held()
        spread(scripted)
        assert "orders" in scripted.instances["broker-c-0"].topics
        assert "billing" in scripted.instances["broker-c-0"].groups

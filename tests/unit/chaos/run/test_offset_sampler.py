"""The sampler of what was committed: whom it asks about what, how often, and what it writes down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import pytest

from rmqops.chaos.history.run_record import Subscription
from rmqops.chaos.run.offset_sampler import INTERVAL, OffsetSampler
from rmqops.chaos.run.sampling import REPEAT
from rmqops.model.history import Event
from rmqops.remoting.client import Client
from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster

READ = (Subscription("drill", "readers"), Subscription("drill", "readers"), Subscription("drill", None))


class Trial:
    """A sampler of a group of three members that know the topic."""

    def __init__(self, subscriptions: Collection[Subscription] = READ) -> None:
        self.cluster = ScriptedCluster(topology(nameservers=1))
        for member in self.cluster.topology.brokers:
            self.cluster.topics[member.name]["drill"] = 2
        self.subscriptions = subscriptions
        self.events: list[Event] = []
        self.asked: list[tuple[str, str]] = []

    def sample(self, seconds: float, *, halfway: Callable[[], None] = lambda: None) -> None:
        """Sample for a time; let something happen in the middle of it."""
        self.cluster.asked = lambda member, request: self.asked.append(
            (member.name, request.fields["consumerGroup"])
        )
        self.cluster.clock.run(self._sample(seconds, halfway))

    async def _sample(self, seconds: float, halfway: Callable[[], None]) -> None:
        start = self.cluster.clock()
        sampler = OffsetSampler(
            self.cluster.topology,
            self.subscriptions,
            self.events.append,
            lambda: self.cluster.clock() - start,
            self.cluster.environment().clients,
        )
        sampler.start()
        for act in (halfway, lambda: None):
            await asyncio.sleep(seconds / 2)
            sampler.check()
            act()
        await sampler.close()
        await sampler.close()


def test_every_member_is_asked_once_for_a_group_and_its_answer_written_when_it_changes_or_is_old() -> None:
    trial = Trial()
    trial.cluster.committed["broker-a-1", "readers"] = {1: 7}
    trial.sample(2.5)
    members = [member.name for member in trial.cluster.topology.brokers]
    assert {name: trial.asked.count((name, "readers")) for name in members} == pytest.approx(
        dict.fromkeys(members, 2.5 / INTERVAL), abs=1
    )
    times = [event.t for event in trial.events if event.process == "broker-a-1"]
    assert times == pytest.approx([0, REPEAT, 2 * REPEAT], abs=INTERVAL)
    told = {event.process: event for event in trial.events}
    assert told["broker-a-1"] == Event(
        told["broker-a-1"].t, "broker-a-1", "committed", "ok", "drill", "broker-a", key="readers",
        address="127.0.0.1:101", value={"0": "0", "1": "7"},
    )  # fmt: skip
    assert told["broker-a-0"].value == {"0": "0", "1": "0"}, "0 where nothing is committed"


def test_a_commit_is_seen_at_the_next_look() -> None:
    trial = Trial()
    trial.sample(1, halfway=lambda: trial.cluster.committed.update({("broker-a-0", "readers"): {0: 3}}))
    seen = [event.t for event in trial.events if event.value == {"0": "3", "1": "0"}]
    assert seen
    assert 0.5 <= seen[0] <= 0.5 + 2 * INTERVAL


def test_a_member_that_is_gone_says_why_once_a_second() -> None:
    trial = Trial()
    trial.sample(3, halfway=lambda: trial.cluster.dead.add("broker-a-0"))
    failed = [event for event in trial.events if event.type == "fail"]
    assert {event.process for event in failed} == {"broker-a-0"}
    assert len(failed) == 2
    assert "did not take a connection" in str(failed[0].error)


def test_without_a_consumer_group_nobody_is_asked() -> None:
    trial = Trial([Subscription("drill", None)])
    trial.sample(1)
    assert (trial.asked, trial.events) == ([], [])


def test_what_ends_the_sampling_is_raised_to_who_looks() -> None:
    class Broken(Client):
        async def connection(self, address: str) -> None:  # type: ignore[override]
            raise ZeroDivisionError(address)

    async def look() -> None:
        sampler = OffsetSampler(topology(), READ, lambda _: None, lambda: 0.0, Broken)
        sampler.check()
        sampler.start()
        await asyncio.sleep(0.1)
        try:
            with pytest.raises(ExceptionGroup):
                sampler.check()
        finally:
            await sampler.close()

    ScriptedCluster(topology()).clock.run(look())

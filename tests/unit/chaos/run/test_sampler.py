"""The sampler: who is master as each NameServer says it, how often it asks, and what it writes down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rmqops.chaos.run.sampler import INTERVAL, RouteSampler
from rmqops.chaos.run.sampling import REPEAT
from rmqops.model.history import Event
from rmqops.remoting.client import Client
from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster


class Trial:
    """A sampler of a cluster with two NameServers."""

    def __init__(self) -> None:
        self.cluster = ScriptedCluster(topology(groups=2, nameservers=2))
        self.events: list[Event] = []
        self.asked = 0
        self.agreed: list[str | None] = []

    def sample(self, seconds: float, *, halfway: Callable[[], None] = lambda: None) -> None:
        """Sample for a time; let something happen in the middle of it."""
        self.cluster.asked = lambda *_: self._count()
        self.cluster.clock.run(self._sample(seconds, halfway))

    def _count(self) -> None:
        self.asked += 1

    async def _sample(self, seconds: float, halfway: Callable[[], None]) -> None:
        start = self.cluster.clock()
        sampler = RouteSampler(
            self.cluster.topology,
            self.events.append,
            lambda: self.cluster.clock() - start,
            self.cluster.environment().clients,
        )
        sampler.start()
        for act in (halfway, lambda: None):
            await asyncio.sleep(seconds / 2)
            sampler.check()
            master = sampler.agreed("broker-a")
            self.agreed.append(master.name if master else None)
            act()
        await sampler.close()
        await sampler.close()


def test_every_nameserver_is_asked_every_20_ms_and_its_answer_written_when_it_changes_or_is_old() -> None:
    trial = Trial()
    trial.sample(2.5)
    assert trial.asked == pytest.approx(2 * 2.5 / INTERVAL, rel=0.05)
    times = [event.t for event in trial.events if (event.process, event.broker) == ("namesrv-1", "broker-a")]
    assert times == pytest.approx([0, REPEAT, 2 * REPEAT], abs=3 * INTERVAL)
    assert {event.type for event in trial.events} == {"ok"}
    value = {"0": "127.0.0.1:100", "2": "127.0.0.1:101", "3": "127.0.0.1:102"}
    assert trial.events[0].value == value
    assert trial.agreed == ["broker-a-0", "broker-a-0"]


def test_a_new_master_is_seen_at_once_and_everywhere() -> None:
    trial = Trial()

    def change() -> None:
        trial.cluster.masters["broker-a"] = trial.cluster.topology.instance("broker-a-1")

    trial.sample(1, halfway=change)
    assert trial.agreed == ["broker-a-0", "broker-a-1"]
    changes = [event for event in trial.events if event.broker == "broker-a" and 0.4 < event.t < 0.6]
    assert {event.process for event in changes} == {"namesrv-1", "namesrv-2"}
    assert all(0.5 <= event.t <= 0.5 + 2 * INTERVAL for event in changes)


def test_a_nameserver_that_is_gone_names_nobody_and_says_why_once_a_second() -> None:
    trial = Trial()
    trial.sample(3, halfway=lambda: trial.cluster.dead.add("namesrv-2"))
    assert trial.agreed == ["broker-a-0", None]
    failed = [event for event in trial.events if event.type == "fail"]
    assert {event.process for event in failed} == {"namesrv-2"}
    assert len(failed) == 2
    assert "did not take a connection" in str(failed[0].error)
    assert failed[0].broker is None


def test_what_ends_the_sampling_is_raised_to_who_looks() -> None:
    class Broken(Client):
        async def connection(self, address: str) -> None:  # type: ignore[override]
            raise ZeroDivisionError(address)

    async def look() -> None:
        sampler = RouteSampler(topology(), lambda _: None, lambda: 0.0, Broken)
        sampler.check()
        sampler.start()
        await asyncio.sleep(0.1)
        try:
            with pytest.raises(ExceptionGroup):
                sampler.check()
        finally:
            await sampler.close()

    ScriptedCluster(topology()).clock.run(look())

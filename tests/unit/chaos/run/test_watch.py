"""What ends a drill before its time."""

from __future__ import annotations

import pytest

from rmqops.chaos.drill import Abort
from rmqops.chaos.load.clients.drivers import Native
from rmqops.chaos.load.clients.settings import ProducerSettings
from rmqops.chaos.load.hosts.place import ThisMachine
from rmqops.chaos.load.worker import Count, Worker
from rmqops.chaos.load.workers import Workers
from rmqops.chaos.run.sampler import RouteSampler
from rmqops.chaos.run.watch import Watch
from rmqops.errors import Inconclusive
from tests.support.instances import topology

PRODUCER = ProducerSettings("producer-1", "p1", 0.0, "t", ("127.0.0.1:1",), 10, 32)
CLUSTER = topology(groups=2)
MASTERS = {"broker-a": "127.0.0.1:100", "broker-b": "127.0.0.1:200"}


class Alive(Workers):
    """A load whose processes are never looked at."""

    def alive(self) -> None:
        """Say nothing."""


class Scene:
    """A watch over a cluster of two groups, and a clock that is set by hand."""

    def __init__(self, abort: Abort) -> None:
        self.now = 10.0
        self.count = Count(last_ok=9.9)
        self.load = Alive(None, Native())  # type: ignore[arg-type]
        self.load.workers = [Worker(PRODUCER, None, self.count, where=ThisMachine(Native()))]  # type: ignore[arg-type]
        self.sampler = RouteSampler(CLUSTER, lambda _: None, lambda: self.now)
        self.sampler.masters = {server.name: dict(MASTERS) for server in CLUSTER.nameservers}
        self.watch = Watch(
            abort,
            [group.name for group in CLUSTER.groups],
            self.load,
            self.sampler,
            lambda: self.now,
            agreement=2.0,
        )

    def looks(self, at: float) -> str:
        """Look at a time; return why the drill ends, or nothing."""
        self.now = at
        try:
            self.watch.look()
        except Inconclusive as error:
            return error.message
        return ""


async def test_a_spent_error_budget_ends_a_drill() -> None:
    scene = Scene(Abort(failed=5))
    scene.count.refused = 5
    assert scene.looks(10) == ""
    scene.count.indeterminate = 1
    assert "6 sends went wrong, 5 are allowed" in scene.looks(10)


async def test_an_outage_ends_a_drill_while_a_fault_is_in_force() -> None:
    scene = Scene(Abort(outage=3))
    assert scene.looks(20) == "", "nothing was struck yet"
    scene.watch.strike([CLUSTER.instance("broker-a-0")])
    assert scene.looks(12) == ""
    assert "no acknowledgement for 3.1 s" in scene.looks(13)


@pytest.mark.parametrize(("other_groups", "told"), [(True, "group broker-b, which was not struck"), (False, "")])
async def test_a_group_that_was_not_struck_and_falls_ill_ends_a_drill(other_groups: bool, told: str) -> None:
    scene = Scene(Abort(other_groups=other_groups))
    scene.watch.strike([CLUSTER.instance("broker-a-0")])
    for routes in scene.sampler.masters.values():
        routes.update({"broker-a": None, "broker-b": None})  # type: ignore[attr-defined]
    assert scene.looks(20) == ""
    assert scene.looks(21.9) == ""
    assert told in scene.looks(22.1)
    assert bool(scene.looks(22.2)) is bool(told)


async def test_a_nameserver_that_was_struck_is_not_listened_to() -> None:
    scene = Scene(Abort())
    scene.watch.strike([CLUSTER.instance("namesrv-1")])
    scene.sampler.masters["namesrv-1"] = {}
    assert [scene.looks(t) for t in (20, 30)] == ["", ""]
    scene.watch.healed()
    assert scene.looks(40) == "", "nothing is struck any more"

"""Which tests of ``make test`` run on one worker one after the other, and which of those lanes begin first.

``pytest -n 3 --dist loadgroup`` hands out a lane whole, in the order in which the tests were collected, and every
test that is in no lane by itself. So a lane shares what is dear to make (a cluster, a lab), two lanes share
nothing, and the longest ones stand first: what is left over at the end is short. Files that are marked ``e2e`` and
stand here nowhere are a lane each. The order within a file stays that of pytest-randomly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Lane:
    """Files of tests that run one after the other."""

    name: str
    seconds: int = 30
    """How long it takes, roughly; only the order of the lanes depends on it."""
    stages: tuple[tuple[str, ...], ...] = ()
    """Its files: those of a stage in any order, and before those of the next one."""


LANES = (
    # Masters die here all the time: one election after the other, on one cluster.
    Lane(
        "drills",
        800,
        (
            ("e2e/test_drills.py", "e2e/test_kill_master.py"),
            ("remoting/test_dledger.py", "remoting/test_replicated_topic.py"),
            ("e2e/test_rejoin_window.py",),
        ),
    ),
    # One lab of three hosts: bare first, then with a cluster on it. The lab whose hosts may set kernel settings is
    # here, too, and so is who reads those: while such a lab is up, they are not set back.
    Lane(
        "three-hosts",
        600,
        (
            ("e2e/test_lab.py", "e2e/test_hosts_first.py", "e2e/test_check.py", "e2e/test_check_lab.py"),
            ("e2e/test_hosts.py", "e2e/test_faults_store.py"),
        ),
    ),
    # One lab of six hosts and one cluster on it; the second stage gives its brokers small disks.
    Lane("six-hosts", 390, (("e2e/test_partition.py",), ("e2e/test_faults_host.py",))),
    Lane("deploy", 250, (("e2e/test_deploy.py",),)),
    Lane("clients", 145, (("e2e/test_clients.py",),)),
    Lane("promote", 100, (("e2e/test_promote.py",),)),
    Lane("build", 70, (("e2e/test_build.py",),)),
    Lane("by-hand", 70, (("e2e/test_by_hand.py",),)),
    # One NameServer and one broker for both.
    Lane("one-broker", 50, (("remoting/test_broker.py", "remoting/test_java_client.py"),)),
    # There is one tree of cgroups on a machine, and the fault of a slow disk makes its own at the top.
    Lane("slow-disk", 20, (("unit/chaos/faults/test_slow_disk.py",),)),
)

_PLACES = {
    TESTS / file: (lane, number) for lane in LANES for number, stage in enumerate(lane.stages) for file in stage
}


def lane_of(item: pytest.Item) -> str | None:
    """Return the name of a test's lane, or None."""
    place = _place(item)
    return place[0].name if place else None


def arrange(items: list[pytest.Item]) -> None:
    """Put the tests of each lane together and the longest lanes first, and tell xdist of them."""

    def key(item: pytest.Item) -> tuple[int, int, str, int]:
        place = _place(item)
        return (0, -place[0].seconds, place[0].name, place[1]) if place else (1, 0, "", 0)

    items.sort(key=key)
    for item in items:
        if name := lane_of(item):
            item.add_marker(pytest.mark.xdist_group(name))


def _place(item: pytest.Item) -> tuple[Lane, int] | None:
    """Return a test's lane and its stage there, or None."""
    if item.path in _PLACES:
        return _PLACES[item.path]
    return (Lane(item.path.stem), 0) if item.get_closest_marker("e2e") else None

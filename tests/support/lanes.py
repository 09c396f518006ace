"""Which tests of ``make test`` run on one worker one after the other, and which of those lanes begin first.

``pytest -n 2 --dist loadgroup`` hands out a lane whole, in the order in which the tests were collected, and every
test that is in no lane by itself. So a lane shares what is dear to make (a cluster, a lab), two lanes share
nothing, and the longest ones stand first: what is left over at the end is short. Files of real brokers that stand
here nowhere are a lane each. The order within a file stays that of pytest-randomly.

xdist's own mark for groups is not used: it changes the ids of the tests, which xdist 3.8 cannot with pytest 9.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from xdist.scheduler import LoadGroupScheduling

TESTS = Path(__file__).parents[1]
WITH_BROKERS = ("e2e", "remoting", "soak")
"""Directories."""


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
            (
                "e2e/test_lab.py",
                "e2e/test_hosts_first.py",
                "e2e/test_cut_off.py",
                "e2e/test_check.py",
                "e2e/test_check_lab.py",
            ),
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


def lane_of(path: Path) -> str | None:
    """Return the name of the lane of a file of tests, or None."""
    place = _place(path)
    return place[0].name if place else None


def arrange(items: list[pytest.Item]) -> None:
    """Put the tests of each lane together and the longest lanes first."""

    def key(item: pytest.Item) -> tuple[int, int, str, int]:
        place = _place(item.path)
        return (0, -place[0].seconds, place[0].name, place[1]) if place else (1, 0, "", 0)

    items.sort(key=key)


class LaneScheduling(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out lanes."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(self.config.rootpath / nodeid.partition("::")[0]) or nodeid


def _place(path: Path) -> tuple[Lane, int] | None:
    """Return the lane of a file of tests and its stage there, or None."""
    if path in _PLACES:
        return _PLACES[path]
    return (Lane(path.stem), 0) if path.parent.name in WITH_BROKERS else None

"""``kill -9`` of rmqops at every step of every fault: the hosts heal themselves, and nothing of it stays.

Too long for every day: ``make soak``, or ``pytest tests/soak/every_step.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rmqops.operations.observe import canary, health
from tests.support.clusters import Cluster
from tests.support.drilling import HOST_STATE, SETTLE, STEPS, killed_at, the_run, trial
from tests.support.lab import LabUp
from tests.support.waiting import until, until_equal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DEADLINES = {"crash-loop": 30, "slow-disk": 20}
"""Seconds until the host heals itself; 12, the least that a drill takes, are enough for what bites at once."""
LEVEL = 60
"""Seconds for members to hold the same log, on a machine that is at work."""
CUTTING = {"pause", "partition", "loss", "reset", "bandwidth", "cpu"}
"""After these the election may come, so the case waits for it."""
SMALL = "broker-a-2"
"""Whose store has a disk of its own, of 640 MiB in memory."""
FOREIGN = (
    "iptables -A INPUT -s 192.0.2.7 -p tcp --dport 80 -j DROP; iptables -N THEIRS; iptables -A OUTPUT -j THEIRS"
)
LOG = "head -c 4194304 /opt/rocketmq/instances/*/data/dledger-*/data/00000000000000000000 | sha256sum"
FAULTS: dict[str, dict[str, object]] = {
    "kill": {"target": "slave"},
    "terminate": {"target": "slave"},
    "restart": {"target": "slave"},
    "pause": {"target": "slave"},
    "crash-loop": {"target": "slave", "with": {"every": 8}},
    "partition": {"target": "slave"},
    "loss": {"target": "slave", "with": {"percent": 50}},
    "reset": {"target": "master"},
    "bandwidth": {"target": "master"},
    "cpu": {"target": "slave", "with": {"processes": 1}},
    "memory": {"target": "slave"},
    "read-only": {"target": "slave"},
    "disk-full": {"target": SMALL},
    "slow-disk": {"target": "broker-a-0"},
    "wipe-store": {"target": "slave"},
    "cut-log": {"target": "slave"},
}
"""All that the lab's hosts can have, but `reboot`: it takes the foreign rules away as well."""


@dataclass(frozen=True)
class Hosts:
    """Three NameServers and a DLedger group, each on a host of its own that has rules of its own."""

    lab: LabUp
    cluster: Cluster

    def states(self) -> dict[str, list[str]]:
        """Return what a fault may change on each broker's host."""
        return {
            one.name: self.lab.root(one.name, HOST_STATE).splitlines() for one in self.cluster.topology.brokers
        }

    def level(self) -> None:
        """Wait until every member holds the same log, so that no two of them have lost theirs at once."""
        until(
            lambda: {self.lab.root(member.name, LOG) for member in self.cluster.topology.brokers},
            "every member holds the same log",
            LEVEL,
            good=lambda logs: len(logs) == 1,
            interval=0.5,
        )


@pytest.fixture(scope="module")
def hosts(lab: Callable[..., LabUp], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    up = lab(hosts=6)
    made = Hosts(up, Cluster(up.inventory_in(tmp_path_factory.mktemp("inventory")), Path("/opt/rocketmq")))
    where = made.cluster.topology.instance(SMALL).text("rocketmq_data_dir")
    up.root(SMALL, 'mkdir -p "$1" && mount -t tmpfs -o size=640m small "$1"', where)
    made.cluster.must("deploy", "--yes")
    for broker in made.cluster.topology.brokers:
        up.root(broker.name, FOREIGN)
    yield made
    made.cluster.rmqops("destroy", "--data", "--confirm", up.name)


@pytest.mark.parametrize("step", STEPS, ids="-".join)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_killed_drill_leaves_nothing(hosts: Hosts, tmp_path: Path, fault: str, step: tuple[str, str]) -> None:
    canary.send_and_read_back(hosts.cluster.topology, health.wait(hosts.cluster.topology))
    hosts.level()
    deadline = DEADLINES.get(fault, 12)
    before, runs = hosts.states(), tmp_path / "runs"
    assert all(any("192.0.2.7" in line for line in state) for state in before.values())
    killed_at(step, hosts.cluster, runs, trial(tmp_path, fault, **FAULTS[fault]), deadline)

    def changed() -> dict[str, tuple[list[str], list[str]]]:
        now = hosts.states()
        return {name: (before[name], now[name]) for name in now if now[name] != before[name]}

    until_equal(changed, {}, "the hosts heal themselves", deadline + 5, interval=0.5)
    hosts.cluster.must("chaos", "heal", str(the_run(runs)))
    assert hosts.states() == before
    if fault in CUTTING:
        time.sleep(SETTLE)

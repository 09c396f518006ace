"""Faults that a container cannot have, on a machine of qemu's: with a kernel, a clock and cgroups of its own.

Emulated, and slow: half an hour. ``pytest tests/soak/own_kernel.py``; it needs root and qemu-system-x86_64.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from rmqops.operations.observe import health
from tests.support import machine
from tests.support.clusters import Cluster
from tests.support.drilling import HOST_STATE, SHORT, STEPS, killed_at, the_run, trial
from tests.support.lab import LabUp
from tests.support.waiting import until_equal

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="there is no qemu-system-x86_64"),
]

VICTIM = "broker-a-1"
"""A slave whose master waits for nobody, so that the load goes on however slow the machine is."""
START = 600
"""Seconds for a broker to be started there."""
DEADLINE = 40
FAULTS: dict[str, dict[str, float | str]] = {
    "delay": {"ms": 300, "jitter": 30, "reorder": 5, "duplicate": 5},
    "clock": {"seconds": 300},
    "slow-disk": {"kib": 64},
}
BOOTED = "awk -v now=$(date +%s.%N) '{ print now - $1 }' /proc/uptime"
"""When it booted, by its clock as it is."""


@dataclass(frozen=True)
class Hosts:
    """Three NameServers and a group of two without elections, whose slave's host is a machine."""

    lab: LabUp
    cluster: Cluster

    def state(self) -> list[str]:
        return self.lab.root(VICTIM, HOST_STATE).splitlines()

    def booted(self) -> float:
        return float(self.lab.root(VICTIM, BOOTED))


@pytest.fixture(scope="module")
def hosts(lab: Callable[..., LabUp], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    up = lab(hosts=6, mode="master-slave")
    inventory = up.inventory_in(tmp_path_factory.mktemp("inventory"))
    document = yaml.safe_load(inventory.read_text())
    document["all"]["vars"]["rocketmq_start_timeout"] = START
    inventory.write_text(yaml.safe_dump(document))
    cluster = Cluster(inventory, Path("/opt/rocketmq"))
    with machine.in_place_of(up, VICTIM, tmp_path_factory.mktemp("machine") / "work"):
        cluster.must("deploy", "--yes", timeout=3 * START)
        yield Hosts(up, cluster)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_drill_bites_and_leaves_nothing(hosts: Hosts, tmp_path: Path, fault: str) -> None:
    health.wait(hosts.cluster.topology)
    before, booted = hosts.state(), hosts.booted()
    file = trial(tmp_path, fault, target=VICTIM, **{"with": FAULTS[fault]})
    done = hosts.cluster.rmqops(
        "chaos", "run", str(file), "--runs", str(tmp_path / "runs"), "--json", *SHORT, timeout=900
    )
    assert done.stdout, done
    result = json.loads(done.stdout)
    assert result["lost"] == 0
    assert [(one["kind"], bool(one["verified"]), bool(one["healed"])) for one in result["faults"]] == [
        (fault, True, True)
    ], done
    assert hosts.state() == before
    assert abs(hosts.booted() - booted) < 2


@pytest.mark.parametrize("step", STEPS, ids="-".join)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_killed_drill_leaves_nothing(hosts: Hosts, tmp_path: Path, fault: str, step: tuple[str, str]) -> None:
    health.wait(hosts.cluster.topology)
    before, booted, runs = hosts.state(), hosts.booted(), tmp_path / "runs"
    file = trial(tmp_path, fault, target=VICTIM, **{"with": FAULTS[fault]})
    killed_at(step, hosts.cluster, runs, file, DEADLINE)
    until_equal(hosts.state, before, "the host heals itself", DEADLINE + 60, interval=1)
    assert abs(hosts.booted() - booted) < 2
    hosts.cluster.must("chaos", "heal", str(the_run(runs)), timeout=300)
    assert hosts.state() == before

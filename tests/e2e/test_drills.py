"""Each drill that rmqops ships, but kill-master, against a real cluster on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rmqops.chaos import healing
from rmqops.operations import health
from tests.support.clusters import Cluster
from tests.support.drilling import SHORT, findings

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def _healthy(cluster: Cluster) -> Iterator[None]:
    """Begin each test with a healthy cluster, and end it with one in which nothing is armed."""
    health.wait(cluster.topology)
    yield
    health.wait(cluster.topology)
    assert healing.armed(cluster.topology) == ()


@pytest.mark.parametrize(
    ("name", "struck"), [("kill-slave", 1), ("kill-namesrvs", 2), ("kill-majority", 2), ("terminate-master", 1)]
)
def test_a_drill_passes(name: str, struck: int, cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.rmqops("chaos", "run", name, "--runs", str(tmp_path), "--json", *SHORT)
    assert done.code == 0, f"{findings(tmp_path)}\n{done.stderr}"
    result = json.loads(done.stdout)
    assert (result["verdict"], result["lost"], len(result["faults"])) == ("pass", 0, struck)
    assert all(fault["verified"] and fault["healed"] for fault in result["faults"])
    assert (result["checks"]["service"]["numbers"]["served_without_majority"] == 0) == (name == "kill-majority")


def test_a_master_that_stood_still_loses_nothing_and_may_take_the_route_with_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    """What it does to the route when it goes on is RocketMQ's own fault: docs/known-issues.md."""
    done = cluster.rmqops("chaos", "run", "pause-master", "--runs", str(tmp_path), "--json", *SHORT)
    assert set(findings(tmp_path)) <= {"routes"}, f"{findings(tmp_path)}\n{done.stderr}"
    result = json.loads(done.stdout)
    assert (result["lost"], result["checks"]["service"]["verdict"]) == (0, "pass")
    assert done.code == (1 if findings(tmp_path) else 0)


def test_hosts_that_share_an_address_cannot_be_cut_off_from_one_another(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.rmqops("chaos", "run", "partition-master", "--runs", str(tmp_path), *SHORT)
    assert done.code == 4, done
    assert "the fault partition is not possible" in done.stderr
    assert list(tmp_path.iterdir()) == []

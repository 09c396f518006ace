"""The rendered page, followed to the letter, gives a working cluster."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rmqops.operations.hosts import facts
from rmqops.operations.observe import settings_in_force
from rmqops.operations.plan import drift
from tests.support.clusters import Cluster, must
from tests.support.drilling import SHORT, findings, the_run

pytestmark = pytest.mark.e2e


def own_address() -> str:
    """Return the address of this machine by which others reach it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("198.51.100.1", 9))
        address: str = one.getsockname()[0]
        return address


def quickstart_inventory(base: Path, port: int, version: str) -> dict[str, Any]:
    """Describe the notes' quick start: one NameServer, one broker, two lines of configuration."""
    broker = {"rocketmq_mode": "single", "rocketmq_minimal_config": True, "rocketmq_auto_create_topic": True}
    return {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_host": own_address(),
                "ansible_python_interpreter": sys.executable,
                "rocketmq_cluster": "DefaultCluster",
                "rocketmq_drillable": True,
                "rocketmq_version": version,
                "rocketmq_supervisor": "detached",
                "rocketmq_base_dir": str(base),
                "rocketmq_heap": "256m",
            },
            "children": {
                "namesrv": {"hosts": {"namesrv": {"rocketmq_listen_port": port}}},
                "brokers": {"children": {"broker-a": {"hosts": {"broker": {**broker}}}}},
            },
        }
    }


def steps(page: str, section: str) -> list[str]:
    """Return the commands of a section: its indented lines."""
    body = page.split(f"## {section}")[1].split("\n## ", maxsplit=1)[0]
    return [line.strip() for line in body.splitlines() if line.startswith("       ")]


@pytest.fixture
def by_hand(make_cluster: Callable[..., Cluster], tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    made: list[Cluster] = []

    def install(version: str, **options: object) -> Cluster:
        cluster = make_cluster(version, **options)
        made.append(cluster)
        rendered = tmp_path / "rendered"
        cluster.must("render", "--out", str(rendered))
        archive = json.loads(must("build", "--version", version, "--json").stdout)["path"]
        releases = cluster.base / "releases"
        releases.mkdir(parents=True)
        subprocess.run(["tar", "-xzf", archive, "-C", str(releases)], check=True)
        for command in steps((rendered / "INSTALL.md").read_text(), "The instances, in this order"):
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=rendered, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return cluster

    yield install
    for cluster in made:
        for instance in reversed(cluster.topology.instances):
            stopped = cluster.script(instance.name, "stop.sh")
            assert stopped.code == 0, stopped
        shutil.rmtree(cluster.base)


def test_a_dledger_cluster(by_hand: Callable[..., Cluster]) -> None:
    cluster = by_hand("4.5.2")
    answer = json.loads(cluster.must("status", "--json", "--wait", "60").stdout)
    assert answer["healthy"] is True
    assert "already" in cluster.script("broker-a-0", "start.sh").stdout


def test_the_quick_start_of_the_notes(by_hand: Callable[..., Cluster], tmp_path: Path) -> None:
    """It runs as its configuration says, and the official client sends to it and receives from it."""
    cluster = by_hand("4.4.0", describe=quickstart_inventory)
    config = cluster.base / "instances" / "broker" / "current" / "conf" / "broker.p"
    assert config.read_text() == f"brokerIP1={own_address()}\nautoCreateTopicEnable=true\n"
    answer = json.loads(cluster.must("status", "--json", "--wait", "60").stdout)
    assert answer["healthy"] is True
    assert answer["version"] == "4.4.0"
    topology = cluster.topology
    live, found = settings_in_force.status_and_settings(topology)[1], facts.gather(topology.instances)
    drifts = [drift.in_force(item, found[item.name], live[item.name]) for item in topology.instances]
    assert [list(told) for told in drifts] == [[], []]
    runs = tmp_path / "runs"
    drill = ("chaos", "run", "official-clients", "--runs", str(runs), "--json")
    done = cluster.rmqops(*drill, *SHORT)
    assert done.code == 0, f"{findings(runs)}\n{done.stderr}"
    result = json.loads(done.stdout)
    assert (result["verdict"], result["lost"], result["client"]["version"]) == ("pass", 0, "4.4.0")
    events = [json.loads(line) for line in (the_run(runs) / "history.jsonl").read_text().splitlines()]
    sent = {event["address"] for event in events if event["op"] == "send" and event["type"] == "ok"}
    received = {event["process"] for event in events if event["op"] == "receive" and event["type"] == "ok"}
    assert sent == {f"{own_address()}:10911"}
    assert any(process.startswith("consumer-") for process in received)

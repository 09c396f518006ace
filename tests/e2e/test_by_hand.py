"""The rendered page, followed to the letter, gives a working cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rmqops.operations import answers, drift, facts
from tests.support.clusters import Cluster, must

pytestmark = pytest.mark.e2e


def quickstart_inventory(base: Path, port: int, version: str) -> dict:
    """Describe the notes' quick start: one NameServer, one broker, two lines of configuration."""
    broker = {"rocketmq_mode": "single", "rocketmq_minimal_config": True, "rocketmq_auto_create_topic": True}
    return {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_host": "127.0.0.1",
                "ansible_python_interpreter": sys.executable,
                "rocketmq_cluster": "DefaultCluster",
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


def test_the_quick_start_of_the_notes(by_hand: Callable[..., Cluster]) -> None:
    cluster = by_hand("4.4.0", describe=quickstart_inventory)
    config = cluster.base / "instances" / "broker" / "current" / "conf" / "broker.p"
    assert config.read_text() == "brokerIP1=127.0.0.1\nautoCreateTopicEnable=true\n"
    answer = json.loads(cluster.must("status", "--json", "--wait", "60").stdout)
    assert answer["healthy"] is True
    assert answer["version"] == "4.4.0"
    topology = cluster.topology
    live, found = answers.settings(topology), facts.gather(topology.instances)
    drifts = [drift.in_force(item, found[item.name], live[item.name]) for item in topology.instances]
    assert [list(told) for told in drifts] == [[], []]

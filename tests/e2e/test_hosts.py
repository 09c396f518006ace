"""A cluster on real hosts, over ssh with systemd: what lies there, what keeps it, what shows when it fails."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rmqops.operations.observe import health
from rmqops.remoting.client import Client
from tests.support.clusters import Cluster, must
from tests.support.drilling import findings
from tests.support.lab import LabUp
from tests.support.waiting import until, until_line

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

PLACES = {f"namesrv-{n}": f"namesrv-{n}" for n in (1, 2, 3)} | {
    f"broker-a-{n - 1}": f"namesrv-{n}" for n in (1, 2, 3)
}
"""Each instance, and the NameServer on the same host."""
UPDATE_BROKER_CONFIG = 25
"""``RequestCode`` of the module ``common``: what ``mqadmin updateBrokerConfig`` sends."""


@dataclass(frozen=True)
class Hosts:
    """Three hosts, and the cluster on them: each a NameServer and a member of one DLedger group."""

    lab: LabUp
    cluster: Cluster

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.cluster.rmqops("status", "--json").stdout)
        return answer

    def pid(self, instance: str) -> str:
        return self.lab.root(instance, f"/opt/rocketmq/instances/{instance}/current/bin/pid.sh").strip()

    def pids(self) -> dict[str, str]:
        return {name: self.pid(name) for name in PLACES}

    def unit(self, instance: str) -> dict[str, str]:
        told = self.lab.root(instance, f"systemctl show rocketmq-{instance}")
        return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)


@pytest.fixture(scope="module")
def hosts(deployed_lab: Callable[..., tuple[LabUp, Cluster]]) -> Hosts:
    return Hosts(*deployed_lab(hosts=3))


@pytest.fixture(autouse=True)
def _healthy(hosts: Hosts) -> None:
    """Begin each test with a healthy cluster."""
    health.wait(hosts.cluster.topology)


def changed(recap: str) -> dict[str, int]:
    """Return how much a playbook has changed on each of our instances, from Ansible's recap."""
    found = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=0", recap, re.MULTILINE)
    return {name: int(count) for name, count in found if name in PLACES}


def test_the_bytes_on_the_hosts_are_those_of_render(hosts: Hosts, tmp_path: Path) -> None:
    hosts.cluster.must("render", "--out", str(tmp_path))
    for name in PLACES:
        tree = f"/opt/rocketmq/instances/{name}/current"
        listing = hosts.lab.root(name, 'cd "$1/" && find . -type f -exec sha256sum {} +', tree)
        there = {path: digest for digest, path in (line.split("  ./") for line in listing.splitlines())}
        rendered = {
            str(path.relative_to(tmp_path / name)): path for path in (tmp_path / name).rglob("*") if path.is_file()
        }
        assert there == {path: sha256(file) for path, file in rendered.items()}
        unit = hosts.lab.root(name, f"sha256sum /etc/systemd/system/rocketmq-{name}.service").split()[0]
        assert unit == sha256(tmp_path / name / "rocketmq.service")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_service_may_write_its_data_and_logs_and_nothing_else(hosts: Hosts) -> None:
    writable = r"find /opt/rocketmq ! -type l \( -user rocketmq -o -group rocketmq -o -perm -o+w \) -printf '%p\n'"
    for broker, server in list(PLACES.items())[3:]:
        own = tuple(
            f"/opt/rocketmq/instances/{name}/{part}" for name in (broker, server) for part in ("data", "logs")
        )
        found = hosts.lab.root(broker, writable).splitlines()
        assert set(own) <= set(found)
        assert [path for path in found if not path.startswith(own)] == []
        assert hosts.lab.root(broker, 'ps -o user= -p "$1"', hosts.pid(broker)).strip() == "rocketmq"
    tried = "setpriv --reuid rocketmq --regid rocketmq --clear-groups touch"
    done = hosts.lab.on("broker-a-0", "sudo", *tried.split(), "/opt/rocketmq/instances/broker-a-0/current/x")
    assert "Permission denied" in done.stderr


@pytest.mark.parametrize("name", ["namesrv-1", "broker-a-0"])
def test_units_are_hardened_and_their_limits_are_in_force(hosts: Hosts, name: str) -> None:
    told = hosts.lab.root(name, f"systemd-analyze security --no-pager rocketmq-{name}.service")
    exposure = re.search(r"Overall exposure level for .*: ([0-9.]+)", told)
    assert exposure is not None, told
    assert float(exposure[1]) <= 3.0, told
    limits = hosts.lab.root(name, 'cat "/proc/$1/limits"', hosts.pid(name))
    # Where the lab's caller may not raise limits, a unit gets what its systemd has.
    most = hosts.lab.root(name, "cat /proc/1/limits")
    for row, wanted in (("Max open files", "655350"), ("Max locked memory", "unlimited")):
        soft, hard = limit(limits, row)
        assert soft == hard
        assert hard in {wanted, limit(most, row)[1]}
        assert hosts.unit(name)["LimitNOFILE" if "files" in row else "LimitMEMLOCK"] in {wanted, "infinity", hard}


def limit(table: str, row: str) -> tuple[str, str]:
    found = re.search(rf"^{row}\s+(\S+)\s+(\S+)", table, re.MULTILINE)
    assert found is not None, table
    return found[1], found[2]


def test_check_mode_says_what_a_deploy_then_changes_and_a_second_one_changes_nothing(hosts: Hosts) -> None:
    def change(document: dict[str, Any]) -> None:
        brokers = document["all"]["children"]["brokers"]["children"]["broker-a"]["hosts"]
        brokers["broker-a-1"]["rocketmq_jvm_options"] = [f"-Drmqops.test={time.time_ns()}"]

    hosts.cluster.edit(change)
    before = hosts.pids()
    predicted = hosts.cluster.playbook("site", "--check", "--diff")
    assert predicted.code == 0, predicted
    assert "+-Drmqops.test=" in predicted.stdout
    assert hosts.pids() == before, "check mode touched a process"
    done = json.loads(hosts.cluster.must("deploy", "--yes", "--json").stdout)
    assert done["changed"] == ["broker-a-1"]
    assert [name for name, count in changed(predicted.stdout).items() if count] == done["changed"]
    after = hosts.pids()
    assert [name for name in PLACES if after[name] != before[name]] == ["broker-a-1"]
    assert "nothing to change" in hosts.cluster.must("deploy", "--yes").stdout
    alone = hosts.cluster.playbook("site")
    assert alone.code == 0, alone
    assert changed(alone.stdout) == dict.fromkeys(PLACES, 0)
    assert hosts.pids() == after


def test_a_rebooted_host_brings_its_instances_back(hosts: Hosts) -> None:
    before = {name: hosts.unit(name)["InvocationID"] for name in PLACES}
    hosts.lab.lab.reboot(hosts.lab.lab.find("broker-a-2"))
    hosts.cluster.must("status", "--wait", "120")
    # A process that was started again may well have the number of its predecessor; a unit's invocation is its own.
    after = {name: hosts.unit(name)["InvocationID"] for name in PLACES}
    assert {name for name in PLACES if after[name] != before[name]} == {"namesrv-3", "broker-a-2"}
    assert "nothing to change" in hosts.cluster.must("deploy", "--yes").stdout


def test_a_crash_loop_ends_and_says_why_and_what_was_overridden(hosts: Hosts) -> None:
    name = "broker-a-2"
    override = f"/etc/systemd/system/rocketmq-{name}.service.d/hand.conf"
    lines = r"[Service]\nRestartSec=1\nEnvironment=JAVA_TOOL_OPTIONS=-XX:+NoSuchOption\n"
    hosts.lab.root(
        name, f'mkdir -p {Path(override).parent} && printf "{lines}" > {override} && systemctl daemon-reload'
    )
    try:
        assert any(override in text for text in hosts.status()["drift"])
        assert override in hosts.cluster.rmqops("plan").stdout
        # systemd goes on counting where a drill before this test had it restart the unit.
        before = int(hosts.unit(name)["NRestarts"])
        hosts.lab.root(name, f"systemctl kill -s KILL rocketmq-{name}")
        until(lambda: hosts.unit(name)["ActiveState"] == "failed", "the unit has failed", 120, interval=0.5)
        assert int(hosts.unit(name)["NRestarts"]) - before <= 6
        (problem,) = [text for text in hosts.status()["problems"] if "its unit has failed" in text]
        assert name in problem
        assert "NoSuchOption" in problem
        done = hosts.cluster.rmqops("deploy", "--yes", "--limit", name)
        assert done.code == 1, done
        assert f"{name} did not start: systemd gave it up" in done.stderr
        assert "NoSuchOption" in done.stderr
        assert "its unit failed (exit-code): it exited with 1" in done.stderr
    finally:
        hosts.lab.root(name, f"rm -r {Path(override).parent} && systemctl daemon-reload")
    hosts.cluster.must("deploy", "--yes")
    assert hosts.status()["drift"] == []


def test_a_setting_changed_over_the_wire_shows_as_drift(hosts: Hosts) -> None:
    address = hosts.cluster.topology.instance("broker-a-0").address

    async def update(text: str) -> None:
        async with Client() as client:
            await client.call(address, UPDATE_BROKER_CONFIG, {}, text.encode())

    asyncio.run(update("diskMaxUsedSpaceRatio=74\n"))
    try:
        (drift,) = hosts.status()["drift"]
        assert drift == "broker-a-0: runs with diskMaxUsedSpaceRatio=74, the default is 75"
        assert f"drift: {drift}" in hosts.cluster.must("plan").stdout
    finally:
        asyncio.run(update("diskMaxUsedSpaceRatio=75\n"))
    assert hosts.status()["drift"] == []


def test_of_two_deploys_at_once_the_second_is_refused(hosts: Hosts, tmp_path: Path) -> None:
    hosts.lab.root("namesrv-2", "systemctl stop rocketmq-namesrv-2")
    state = {"RMQOPS_STATE": str(tmp_path)}
    with hosts.cluster.begin("deploy", "--yes", **state) as first:
        try:
            until_line(first, "make the machine ready")
            first.send_signal(signal.SIGSTOP)
            second = hosts.cluster.rmqops("deploy", "--yes", **state)
            first.send_signal(signal.SIGCONT)
            assert second.code == 5, second
            assert re.search(r"somebody works on cluster .*@.* since .* UTC: rmqops deploy", second.stderr), second
            assert first.stderr is not None
            told = first.stderr.read()
            assert first.wait(600) == 0, told
        finally:
            first.kill()
    newest = json.loads(must("audit", "--json", **state).stdout)
    assert [(entry["verb"], entry["outcome"]) for entry in newest] == [("deploy", "failed"), ("deploy", "done")]
    assert newest[1]["plan"] == ["namesrv-2: start"]


def test_a_host_that_is_down_is_named_and_the_others_can_be_worked_on(hosts: Hosts) -> None:
    down = hosts.lab.lab.find("namesrv-3")
    address = hosts.cluster.topology.instance("namesrv-3").host
    before = {name: hosts.pid(name) for name in ("namesrv-1", "broker-a-0")}
    hosts.lab.root("namesrv-1", "systemctl stop rocketmq-namesrv-1")
    hosts.lab.lab.stop(down, power_cut=True)
    try:
        done = hosts.cluster.rmqops("deploy", "--yes")
        assert done.code == 1, done
        assert address in done.stderr
        hosts.cluster.must("deploy", "--yes", "--limit", "namesrv-1")
        assert hosts.pid("namesrv-1") != before["namesrv-1"]
        assert hosts.pid("broker-a-0") == before["broker-a-0"]
    finally:
        hosts.lab.lab.start(down)
    hosts.cluster.must("deploy", "--yes")
    assert hosts.status()["healthy"]


@pytest.mark.usefixtures("quiet")
def test_killing_the_master_under_load_loses_nothing(hosts: Hosts, tmp_path: Path) -> None:
    short = ("--rate", "30", "--duration", "6", "--seed", "7", "--runs", str(tmp_path))
    begun = hosts.lab.root("broker-a-0", "date +%s").strip()  # all hosts have one clock
    done = hosts.cluster.rmqops("chaos", "run", "kill-master", "--json", *short)
    assert done.code == 0, f"{findings(tmp_path)}\n{done.stderr}"
    result = json.loads(done.stdout)
    (fault,) = result["faults"]
    assert (result["verdict"], result["lost"]) == ("pass", 0)
    assert fault["verified"]
    assert fault["healed"]
    name = fault["instance"]
    said = hosts.lab.root(name, f"journalctl -q -o cat -u rocketmq-{name} --since=@{begun}")
    assert "Scheduled restart job" in said, "systemd itself brings it back"
    assert hosts.unit(name)["NRestarts"] == "0", "and what the drill did does not count against the unit"

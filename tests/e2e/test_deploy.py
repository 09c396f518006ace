"""A cluster's life on real JVMs: deploy, again, change, break, mend, destroy."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clusters import Cluster, rmqops
from tests.support.waiting import until_line

pytestmark = pytest.mark.e2e

STEPS = [("put the instance's files", signal.SIGKILL), ("start the instance", signal.SIGINT)]
"""Of a deploy, as it says them, and how it is ended there."""
INSTANCES = [f"namesrv-{n}" for n in (1, 2, 3)] + [f"broker-a-{n}" for n in (0, 1, 2)]


@pytest.fixture(scope="module")
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """A deployed cluster of this module's own, which changes it all the time."""
    made = make_cluster()
    made.must("deploy", "--yes")
    return made


def pids(cluster: Cluster) -> dict[str, int | None]:
    return {name: cluster.pid(name) for name in INSTANCES}


def status(cluster: Cluster) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(cluster.rmqops("status", "--json").stdout)
    return answer


def test_status_says_what_the_contract_says(cluster: Cluster) -> None:
    answer = status(cluster)
    assert answer["healthy"] is True
    assert answer["problems"] == []
    assert answer["drift"] == []
    assert answer["version"] == "4.5.2"
    assert [server["reachable"] for server in answer["nameservers"]] == [True] * 3
    (group,) = answer["groups"]
    assert (group["name"], group["mode"]) == ("broker-a", "dledger")
    assert sorted(member["role"] for member in group["members"]) == ["master", "slave", "slave"]
    assert all(member["alive"] for member in group["members"])
    (master,) = [member for member in group["members"] if member["role"] == "master"]
    assert group["master"] == master["address"]


def test_each_broker_has_one_long_connection_to_each_nameserver_and_registers_over_it(cluster: Cluster) -> None:
    answer = json.loads(cluster.must("status", "--heartbeats", "--json").stdout)
    found = {(one["broker"], one["nameserver"]): one for one in answer["heartbeats"]}
    assert sorted(found) == [(broker, server) for broker in INSTANCES[3:] for server in INSTANCES[:3]]
    assert {one["connections"] for one in found.values()} == {1}
    assert all(one["ago"] is not None for one in found.values())


def test_again_changes_nothing_and_says_so(cluster: Cluster) -> None:
    before = pids(cluster)
    done = cluster.must("deploy", "--yes")
    assert "nothing to change" in done.stdout
    assert pids(cluster) == before


def test_the_bytes_on_the_hosts_are_those_of_render(cluster: Cluster, tmp_path: Path) -> None:
    cluster.must("render", "--out", str(tmp_path / "out"))
    for name in INSTANCES:
        rendered, deployed = tmp_path / "out" / name, cluster.base / "instances" / name / "current"
        for root in (rendered, deployed):
            assert (root / "bin" / "run.sh").stat().st_mode & 0o777 == 0o755
        assert contents(rendered) == contents(deployed)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_dead_instance_is_started_again(cluster: Cluster) -> None:
    before = pids(cluster)
    os.kill(before["namesrv-2"] or 0, signal.SIGKILL)
    os.kill(before["broker-a-1"] or 0, signal.SIGKILL)
    done = cluster.must("deploy", "--yes")
    assert "changed: namesrv-2, broker-a-1" in done.stdout
    after = pids(cluster)
    assert all(after[name] for name in INSTANCES)
    assert {name for name in INSTANCES if after[name] != before[name]} == {"namesrv-2", "broker-a-1"}


def test_a_changed_setting_restarts_only_what_it_touches(cluster: Cluster) -> None:
    before = pids(cluster)

    def change(document: dict[str, Any]) -> None:
        hosts = document["all"]["children"]["brokers"]["children"]["broker-a"]["hosts"]
        hosts["broker-a-2"]["rocketmq_jvm_options"] = ["-Drmqops.test=1"]

    cluster.edit(change)
    done = cluster.must("deploy", "--yes")
    assert "changed: broker-a-2" in done.stdout
    after = pids(cluster)
    assert {name for name in INSTANCES if after[name] != before[name]} == {"broker-a-2"}
    assert b"-Drmqops.test=1" in Path(f"/proc/{after['broker-a-2']}/cmdline").read_bytes().split(b"\0")


def test_an_edited_file_is_seen_and_written_again(cluster: Cluster) -> None:
    config = cluster.base / "instances" / "broker-a-0" / "current" / "conf" / "broker.p"
    wanted = config.read_bytes()
    config.write_bytes(wanted + b"flushDiskType=SYNC_FLUSH\n")
    done = cluster.must("deploy", "--yes")
    assert "broker-a-0" in done.stdout
    assert config.read_bytes() == wanted


def test_a_note_of_another_process_is_not_trusted(cluster: Cluster) -> None:
    cluster.must("stop", "namesrv-3")
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        pid_file = cluster.base / "instances" / "namesrv-3" / "pid"
        pid_file.write_text(f"{bystander.pid}\n")
        assert cluster.pid("namesrv-3") is None
        cluster.must("stop", "namesrv-3")
        assert bystander.poll() is None
        cluster.must("start", "namesrv-3")
        assert cluster.pid("namesrv-3") not in {None, bystander.pid}
        pid_file.unlink()
        assert "already" in cluster.script("namesrv-3", "start.sh").stdout
        assert cluster.pid("namesrv-3") is not None
        cluster.must("status", "--wait", "120")
    finally:
        bystander.kill()
        bystander.wait()


# Loses its command line as a process that is killed does, while a thread of it holds a lock for some time more.
DYING = """
import ctypes, fcntl, os, sys, threading, time
held = open(sys.argv[1], "r+")
fcntl.lockf(held, fcntl.LOCK_EX)
print("held", flush=True)
threading.Thread(target=lambda: (time.sleep(6), os._exit(0))).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_start_waits_for_the_death_of_the_process_before(cluster: Cluster) -> None:
    cluster.must("stop", "broker-a-1")
    home = cluster.base / "instances" / "broker-a-1"
    (lock,) = (home / "data").rglob("lock")
    with subprocess.Popen([sys.executable, "-c", DYING, str(lock)], stdout=subprocess.PIPE) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == b"held\n", (
            "a process that has just been started has no command line, too"
        )
        while Path(f"/proc/{dying.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        (home / "pid").write_text(f"{dying.pid}\n")
        assert cluster.pid("broker-a-1") is None
        done = cluster.script("broker-a-1", "start.sh")
    assert done.code == 0, done
    assert cluster.pid("broker-a-1") is not None
    cluster.must("status", "--wait", "120")


def test_a_taken_port_is_named_with_its_owner(cluster: Cluster) -> None:
    cluster.must("stop", "namesrv-1")
    port = cluster.topology.instance("namesrv-1").port
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        done = cluster.rmqops("deploy", "--yes")
    assert done.code == 4, done
    assert f"port {port}" in done.stderr
    assert f"pid {os.getpid()}" in done.stderr
    cluster.must("deploy", "--yes")


def test_a_jvm_that_would_not_start_is_told_before_anything_is_stopped(cluster: Cluster) -> None:
    before = pids(cluster)

    def break_it(document: dict[str, Any]) -> None:
        hosts = document["all"]["children"]["brokers"]["children"]["broker-a"]["hosts"]
        hosts["broker-a-1"]["rocketmq_jvm_options"] = ["-XX:+NoSuchOption"]

    wanted = cluster.inventory.read_text()
    cluster.edit(break_it)
    done = cluster.rmqops("deploy", "--yes")
    cluster.inventory.write_text(wanted)
    assert done.code == 4, done
    assert "broker-a-1" in done.stderr
    assert "NoSuchOption" in done.stderr
    assert pids(cluster) == before


def test_a_broker_that_ends_without_a_word_on_its_console_shows_why(cluster: Cluster) -> None:
    """A power cut leaves files of zeros: the reason is in broker.log alone (apache/rocketmq#1498)."""
    cluster.must("stop", "broker-a-1")
    config = Path(cluster.topology.instance("broker-a-1").text("rocketmq_data_dir")) / "config"
    files = [config / "delayOffset.json", config / "delayOffset.json.bak"]
    for file in files:
        file.write_bytes(bytes(6))
    done = cluster.rmqops("start", "broker-a-1")
    for file in files:
        file.unlink()
    assert done.code == 1, done
    assert "broker.log:" in done.stderr
    assert f"ERROR main - load {files[0]} failed" in done.stderr
    cluster.must("start")


@pytest.mark.parametrize(("step", "how"), STEPS, ids=["killed at the files", "Ctrl-C at the start"])
def test_an_interrupted_deploy_is_finished_by_the_next(cluster: Cluster, step: str, how: signal.Signals) -> None:
    """At moments by a stopwatch: tests/soak/interrupted_deploys.py."""
    cluster.must("stop")
    cluster.edit(a_new_setting)
    with cluster.begin("deploy", "--yes") as process:
        told = until_line(process, step)
        process.send_signal(how)
        assert process.stderr is not None
        told += process.stderr
        assert process.wait(60) == (130 if how == signal.SIGINT else -how), "".join(told)
    cluster.must("deploy", "--yes")
    assert status(cluster)["healthy"] is True


def a_new_setting(document: dict[str, Any]) -> None:
    """Change a setting of all instances to what it never was before, so that every file has to be written."""
    variables = document["all"]["vars"]
    variables["rocketmq_stop_timeout"] = variables.get("rocketmq_stop_timeout", 60) + 1


def test_restart_keeps_the_cluster_whole(cluster: Cluster) -> None:
    before = pids(cluster)
    cluster.must("restart", "broker-a")
    after = pids(cluster)
    assert {name for name in INSTANCES if after[name] != before[name]} == {
        "broker-a-0",
        "broker-a-1",
        "broker-a-2",
    }
    assert status(cluster)["healthy"] is True


def test_destroy_asks_for_the_name_and_keeps_the_messages(cluster: Cluster) -> None:
    done = cluster.rmqops("destroy", "--confirm", "another")
    assert done.code == 5, done
    assert all(pids(cluster).values())
    cluster.must("destroy", "--confirm", cluster.topology.cluster)
    left = sorted(str(path.relative_to(cluster.base)) for path in cluster.base.glob("*/*/*"))
    assert left == [f"instances/broker-a-{n}/data" for n in (0, 1, 2)]
    assert "nothing to remove" in cluster.must("destroy", "--confirm", cluster.topology.cluster).stdout
    assert status(cluster)["healthy"] is False
    cluster.must("deploy", "--yes")
    assert status(cluster)["healthy"] is True


def test_the_playbook_alone_gives_the_same(make_cluster: Callable[..., Cluster]) -> None:
    alone = make_cluster()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    checkout = Path(__file__).parents[2]  # its ansible.cfg says where the role is
    argv = ["ansible-playbook", "-i", str(alone.inventory), "playbooks/site.yml"]
    done = subprocess.run(
        argv, cwd=checkout, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "nothing to change" in alone.must("deploy", "--yes").stdout
    again = subprocess.run(
        argv, cwd=checkout, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert "changed=0" in again.stdout
    assert "changed=1" not in again.stdout
    alone.must("stop")  # an idle broker takes a tenth of a core


def test_an_inventory_that_is_not_there() -> None:
    done = rmqops("deploy", "--yes", "--inventory", "nowhere")
    assert done.code == 3
    assert "nowhere" in done.stderr
    assert "local" in done.stderr


def test_the_sample_is_refused() -> None:
    done = rmqops("deploy", "--yes", "--inventory", "prod")
    assert done.code == 5, done
    assert "documentation" in done.stderr


def test_a_cluster_that_is_down(make_cluster: Callable[..., Cluster]) -> None:
    down = make_cluster()
    started = time.monotonic()
    done = down.rmqops("status", "--json")
    assert time.monotonic() - started < 30
    assert done.code == 1
    answer = json.loads(done.stdout)
    assert answer["healthy"] is False
    assert not any(server["reachable"] for server in answer["nameservers"])

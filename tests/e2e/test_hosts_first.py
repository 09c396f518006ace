"""First deploys to real hosts that go wrong: killed in the middle, no room, no right, no root; and what stays."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rmqops.lab import state
from tests.support.clusters import Cluster
from tests.support.lab import LabUp
from tests.support.waiting import until_line

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

BASE = "/opt/rocketmq"


@pytest.fixture(scope="module")
def three(lab: Callable[..., LabUp]) -> LabUp:
    return lab(hosts=3)


@pytest.fixture
def fresh(three: LabUp, tmp_path: Path) -> Iterator[Cluster]:
    """Hosts with nothing of ours on them; they are left so."""
    made = Cluster(three.inventory_in(tmp_path), Path(BASE))
    yield made
    made.must("destroy", "--data", "--confirm", three.name)
    assert remains(three) == {}


def remains(lab: LabUp) -> dict[str, list[str]]:
    """Return what is still on each host."""
    look = (
        f"ls -A {BASE} /home/ops/rocketmq 2>/dev/null; ls -d /etc/systemd/system/rocketmq-* 2>/dev/null;"
        "ls -d /home/ops/.config/systemd/user/rocketmq-* 2>/dev/null;"
        "systemctl list-units --all --no-legend 'rocketmq-*'; pgrep -a java; :"
    )
    found = {host: lab.root(host, look).splitlines() for host in ("namesrv-1", "namesrv-2", "namesrv-3")}
    return {host: lines for host, lines in found.items() if lines}


def strike(process: subprocess.Popen[str], step: str, how: signal.Signals, later: float) -> tuple[int, str]:
    """Interrupt a deploy some seconds into a step; return its exit code and all that it said."""
    told = until_line(process, step)
    time.sleep(later)  # the moment of the strike is the point here, not a condition
    process.send_signal(how)
    assert process.stderr is not None
    told += process.stderr
    return process.wait(60), "".join(told)


def test_a_first_deploy_killed_at_every_step_is_finished_by_the_same_command(three: LabUp, fresh: Cluster) -> None:
    strikes = (
        ("put the release on the machine", signal.SIGKILL, 1.5),  # archives on their way
        ("put the release on the machine", signal.SIGINT, 3.0),  # or being unpacked
        ("put the instance's files", signal.SIGKILL, 0.3),
        ("start the instance", signal.SIGKILL, 1.0),
        ("waiting for health", signal.SIGINT, 0.0),
    )
    for step, how, later in strikes:
        with fresh.begin("deploy", "--yes") as process:
            code, told = strike(process, step, how, later)
        assert code == (130 if how == signal.SIGINT else -signal.SIGKILL), f"{step}: {told}"
        half = three.root("namesrv-1", f"ls -d {BASE}/instances/*/current/ 2>/dev/null; :").splitlines()
        for current in half:  # a tree is whole or it is not there
            assert three.root("namesrv-1", f"ls {current}/rocketmq.service {current}/bin/start.sh")
    fresh.must("deploy", "--yes")
    assert json.loads(fresh.must("status", "--json").stdout)["healthy"]
    assert (
        three.root("namesrv-1", f"ls -A {BASE}/releases | grep -c -e '^[.]new' -e '[.][0-9]*$' || :").strip()
        == "1"
    )
    # What destroy leaves: the messages, with --data not even those; the system's user stays.
    fresh.must("destroy", "--confirm", three.name)
    left = three.root("broker-a-0", f"find {BASE} -mindepth 1 -maxdepth 3").split()
    assert left == [f"{BASE}/instances", f"{BASE}/instances/broker-a-0", f"{BASE}/instances/broker-a-0/data"]
    units = "systemctl list-units --all --no-legend 'rocketmq-*'"
    there = f"{units}; ls /etc/systemd/system | grep ^rocketmq-; id -un rocketmq"
    for host in ("namesrv-1", "namesrv-2", "namesrv-3"):
        assert three.root(host, there).split() == ["rocketmq"]


def test_a_strict_umask_directories_of_others_and_a_service_that_was_broken_into(
    three: LabUp, fresh: Cluster
) -> None:
    """A hardened host; somebody else's directories; and what the service leaves for root to stumble over."""
    host, strict = "namesrv-1", "/etc/sudoers.d/strict-umask"
    three.root(host, f"printf 'Defaults umask=0077, umask_override\\n' > {strict}; mkdir -m 755 /srv/app")
    try:
        assert three.root(host, "umask").strip() == "0077"
        three.root(host, "chown games /srv/app && echo precious > /srv/app/file && chmod 644 /srv/app/file")
        before = three.root(host, "stat -c '%U %a' /srv/app /srv/app/file")

        def logs_at(path: str | None) -> Callable[[dict[str, Any]], None]:
            def change(document: dict[str, Any]) -> None:
                place = document["all"]["children"]["namesrv"]["hosts"][host]
                place.pop("rocketmq_log_dir", None)
                if path:
                    place["rocketmq_log_dir"] = path

            return change

        fresh.edit(logs_at("/srv/app"))
        for command in (("plan",), ("deploy", "--yes"), ("check", "--json")):
            refused = fresh.rmqops(*command)
            assert refused.code == 4, refused
            assert "/srv/app was not made by rmqops and holds file" in refused.stderr + refused.stdout
        assert three.root(host, f"ls -d {BASE} 2>/dev/null; :") == "", "nothing was touched"
        fresh.edit(logs_at(None))
        started = fresh.playbook("site", "--limit", f"{host},localhost")
        assert started.code == 0, started
        home = f"{BASE}/instances/{host}"
        modes = three.root(host, f"stat -c '%U %a' {BASE} {BASE}/releases {home} {home}/current/conf {home}/data")
        assert modes.splitlines() == ["root 755"] * 4 + ["rocketmq 750"]
        as_service = "setpriv --reuid rocketmq --regid rocketmq --clear-groups"
        plants = f"cd {home}/logs && ln -s /etc/shadow transaction.log && mkfifo lock.log && ln -s / ../data/x"
        three.root(host, f"{as_service} sh -c '{plants}'")
        told = fresh.must("logs", host, "--file", "transaction.log", "--file", "lock.log").stdout
        assert "is not read: it is a symbolic link" in told
        assert "is not read: it is a fifo" in told
        assert "root:" not in told
        three.root(host, f"chmod 700 {BASE}/instances {home}")
        assert f"{BASE}/instances has mode 700" in fresh.rmqops("plan", "--limit", host).stdout
        again = fresh.playbook("site", "--limit", f"{host},localhost")
        assert again.code == 0, again
        assert three.root(host, f"stat -c %a {BASE}/instances {home}").split() == ["755", "755"]
        fresh.edit(logs_at("/srv/app"))
        removed = fresh.must("destroy", "--data", "--confirm", three.name)
        assert "leave /srv/app, which no deploy" in removed.stderr
        assert three.root(host, "stat -c '%U %a' /srv/app /srv/app/file") == before
        assert three.root(host, f"ls -A {home}").split() == ["logs"], "the inventory does not name them any more"
    finally:
        three.root(host, f"rm -rf {strict} /srv/app {BASE}")
        fresh.edit(logs_at(None))


def test_no_room_for_the_release(three: LabUp, fresh: Cluster) -> None:
    three.root("namesrv-1", f"mkdir -p {BASE} && mount -t tmpfs -o size=40m tmpfs {BASE}")
    try:
        only = ("--limit", "namesrv-1,broker-a-0,localhost", "-e", "rocketmq_start=false")
        full = fresh.playbook("site", *only)
        assert full.code != 0
        assert f"{BASE}/releases: No space left on device; make room there" in full.stdout
        left = f"ls -A {BASE}/instances 2>/dev/null; ls -A {BASE}/releases | grep -v rocketmq; :"
        assert three.root("namesrv-1", left) == "", "no instance, and of Java nothing"
        three.root("namesrv-1", f"mount -o remount,size=400m {BASE}")
        enough = fresh.playbook("site", *only)
        assert enough.code == 0, enough
        fresh.must("destroy", "--data", "--confirm", three.name)
    finally:
        three.root("namesrv-1", f"umount {BASE} && rmdir {BASE}")


def test_a_host_that_cannot_resolve_its_own_name(three: LabUp, fresh: Cluster) -> None:
    """There sudo warns at each command, on a terminal in the middle of what the command says."""
    name = three.root("namesrv-1", "hostname; hostname nobody-knows-me").strip()
    try:
        assert "unable to resolve host" in three.on("namesrv-1", "sudo", "true").stderr
        first, again = (
            fresh.playbook("site", "--limit", "namesrv-1,localhost", "-e", "rocketmq_start=false") for _ in "12"
        )
        assert (first.code, again.code) == (0, 0), (first, again)
        assert "changed=0" in again.stdout
        assert "releases" in three.root("namesrv-1", f"ls {BASE}").split()
    finally:
        three.root("namesrv-1", f"hostname {name}")


def test_another_clusters_directory_is_refused(three: LabUp, fresh: Cluster) -> None:
    home = f"{BASE}/instances/broker-a-1"
    three.root("broker-a-1", f"mkdir -p {home} && echo other/broker-a-1 > {home}/.rmqops")
    try:
        done = fresh.rmqops("deploy", "--yes")
        assert done.code == 4, done
        host = fresh.topology.instance("broker-a-1").host
        assert f"broker-a-1 on {host}: {home} belongs to other/broker-a-1" in done.stderr
        assert set(remains(three)) == {"namesrv-2"}, "nothing was touched elsewhere"
        refused = fresh.rmqops("destroy", "--data", "--confirm", three.name)
        assert refused.code == 5, refused
    finally:
        three.root("broker-a-1", f"rm -r {BASE}")


def test_sudo_with_a_password(lab: Callable[..., LabUp], tmp_path: Path) -> None:
    asking = lab(hosts=3, sudo_password=True)
    cluster = Cluster(asking.inventory_in(tmp_path), Path(BASE))
    password = state.of(asking.name).password.read_text("ascii").strip()
    kept = {"RMQOPS_STATE": str(tmp_path / "state")}
    only = ("--limit", "namesrv-1")
    wrong = cluster.rmqops("deploy", "--yes", "-K", *only, stdin="not the password\n", **kept)
    assert wrong.code == 4, wrong
    assert "sudo" in wrong.stderr
    assert asking.on("namesrv-1", "ls", "-A", BASE).code != 0
    seen = set()
    with cluster.begin("deploy", "--yes", "-K", *only, stdin=f"{password}\n", **kept) as process:
        while process.poll() is None:
            seen |= lines_with(password)
            time.sleep(0.05)
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.returncode == 0, told
    assert not seen, "the password stood in the process list"
    written = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert len(written) >= 2, "an audit entry and a log"
    assert not [path for path in written if password in path.read_text("utf-8", errors="replace")]
    assert password not in told
    cluster.must("destroy", "--data", "--confirm", asking.name, "-K", stdin=f"{password}\n")


def lines_with(text: str) -> set[str]:
    """Return the command lines and environments of this machine's processes that contain a text."""
    found = set()
    for path in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if text.encode() in content:
            found.add(content.decode(errors="replace"))
    return found


@pytest.mark.parametrize("supervisor", ["detached", "systemd-user"])
def test_without_root(three: LabUp, tmp_path: Path, supervisor: str) -> None:
    cluster = Cluster(three.inventory_in(tmp_path), Path("/home/ops/rocketmq"))

    def change(document: dict[str, Any]) -> None:
        document["all"]["vars"] |= {
            "ansible_become": False,
            "rocketmq_base_dir": "/home/ops/rocketmq",
            "rocketmq_supervisor": supervisor,
        }

    cluster.edit(change)
    only = ("--limit", "namesrv-1")
    if supervisor == "systemd-user":
        refused = cluster.rmqops("deploy", "--yes", *only)
        assert refused.code == 1, refused
        assert "have an administrator run once: loginctl enable-linger ops" in refused.stderr
        three.root("namesrv-1", "loginctl enable-linger ops")
    try:
        cluster.must("deploy", "--yes", *only)
        assert json.loads(cluster.rmqops("status", "--json").stdout)["nameservers"][0]["reachable"]
        assert "nothing to change" in cluster.must("deploy", "--yes", *only).stdout
        assert three.on("namesrv-1", "ps", "-o", "user=", "-C", "java").stdout.split() == ["ops"]
        cluster.must("destroy", "--data", "--confirm", three.name)
        assert remains(three) == {}
    finally:
        three.root("namesrv-1", "loginctl disable-linger ops")

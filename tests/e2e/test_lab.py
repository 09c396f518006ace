"""`rmqops lab`: hosts come up, are what they are said to be, come back after a reboot, and go without a trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rmqops.lab import images, kernel
from rmqops.lab.engine import Engine
from rmqops.operations import inventories
from tests.support.clusters import rmqops
from tests.support.lab import Labs, LabUp
from tests.support.waiting import until, until_equal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

HARDENED = (
    "ProtectSystem=strict PrivateTmp=yes PrivateDevices=yes ProtectHome=yes ProtectKernelTunables=yes "
    "ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=yes ProtectClock=yes ProtectHostname=yes "
    "ProtectProc=invisible ProcSubset=pid NoNewPrivileges=yes RestrictNamespaces=yes RestrictRealtime=yes "
    "RestrictSUIDSGID=yes LockPersonality=yes CapabilityBoundingSet= SystemCallFilter=@system-service "
    "SystemCallArchitectures=native LimitNOFILE=655350 LimitMEMLOCK=infinity User=nobody"
)


@pytest.fixture(scope="module")
def three(lab: Callable[..., LabUp]) -> LabUp:
    return lab(hosts=3)


@pytest.fixture(scope="module")
def podman(three: LabUp) -> Engine:
    return three.lab.engine


def left_of(podman: Engine, name: str) -> list[str]:
    """Return the containers and networks of a lab, by their names, which need no label."""
    containers = podman.do("ps", "--all", "--external", "--format", "{{.Names}}").stdout.split()
    networks = podman.do("network", "ls", "--format", "{{.Name}}").stdout.split()
    return [found for found in (*containers, *networks) if f"{found}-".startswith(f"rmqops-{name}-")]


def status(three: LabUp) -> Any:
    """Return the status once its hosts have come up: a host that lets somebody in may be starting still."""

    def up() -> Any:
        seen = three.status
        return seen if "starting" not in {host["system"] for host in seen["hosts"]} else None

    return until(up, "every host has come up", 120, interval=0.5)


def test_status_tells_every_host(three: LabUp) -> None:
    seen = status(three)
    assert seen["good"] is True
    assert seen["inventory"] == str(three.inventory)
    assert [host["name"] for host in seen["hosts"]] == [f"{three.name}-{number}" for number in (1, 2, 3)]
    assert [host["instances"] for host in seen["hosts"]] == [
        [f"namesrv-{number}", f"broker-a-{number - 1}"] for number in (1, 2, 3)
    ]
    assert {(host["system"], host["sshd"]) for host in seen["hosts"]} == {("running", True)}


def test_the_inventory_reaches_the_hosts(three: LabUp) -> None:
    topology = inventories.load(str(three.inventory)).topology
    assert {instance.ip for instance in topology.instances} == {host["address"] for host in three.status["hosts"]}
    ansible = Path(sys.executable).with_name("ansible")
    done = subprocess.run(
        [ansible, "-i", three.inventory, "all", "-m", "ansible.builtin.command", "-a", "id -un"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done
    assert done.stdout.splitlines().count("root") == len(topology.instances)


def test_up_again_has_nothing_to_do(three: LabUp) -> None:
    done = three.must("lab", "up", "--name", three.name, "--hosts", "3", "--json")
    said = json.loads(done.stdout)
    assert (said["changed"], said["created"], said["started"]) == (False, [], [])


def test_up_again_makes_what_is_missing(three: LabUp, podman: Engine) -> None:
    before = {host.name: host for host in podman.hosts(three.name)}
    victim = f"{three.name}-2"
    podman.do("rm", "--force", "--time=0", before[victim].container)
    assert three.status["good"] is False
    said = json.loads(three.must("lab", "up", "--name", three.name, "--hosts", "3", "--json").stdout)
    assert said["created"] == [victim]
    after = {host.name: host for host in podman.hosts(three.name)}
    assert after[victim].address == before[victim].address
    assert after[f"{three.name}-1"].container == before[f"{three.name}-1"].container
    assert three.on(victim, "hostname").stdout == f"{victim}\n"


def test_too_few_hosts_are_refused(three: LabUp) -> None:
    done = three.rmqops("lab", "up", "--name", three.name, "--hosts", "2")
    assert (done.code, "3 to 200 hosts" in done.stderr) == (2, True)
    assert status(three)["good"] is True


def test_fewer_hosts_are_not_taken_away_by_up(lab: Callable[..., LabUp], labs: Labs) -> None:
    four = lab(hosts=4)
    try:
        done = four.rmqops("lab", "up", "--name", four.name, "--hosts", "3")
        assert (done.code, f"{four.name}-4 would be too many" in done.stderr) == (2, True), done
        seen = status(four)
        assert (len(seen["hosts"]), seen["good"]) == (4, True)
    finally:
        labs.remove(four)


def test_ssh_by_name_number_and_instance(three: LabUp) -> None:
    for named in (f"{three.name}-2", "2", "namesrv-2", "broker-a-1"):
        done = three.must("lab", "ssh", "--name", three.name, named, "--", "hostname; exit 0")
        assert done.stdout == f"{three.name}-2\n"
    assert three.rmqops("lab", "ssh", "--name", three.name, "1", "--", "exit 7").code == 7
    assert three.rmqops("lab", "ssh", "--name", three.name, "9").code == 1


def test_only_the_user_with_the_key_gets_in(three: LabUp) -> None:
    argv = list(three.lab.access.ssh(f"{three.name}-1", "true"))
    as_root = [part.replace("ops@", "root@") for part in argv]
    assert subprocess.run(as_root, capture_output=True, check=False).returncode == 255
    without = ["ssh", "-F", "none", "-o", "BatchMode=yes", *argv[5:]]
    assert subprocess.run(without, capture_output=True, check=False).returncode == 255


def test_a_changed_host_key_is_refused(three: LabUp, tmp_path: Path) -> None:
    known = (three.lab.access.known_hosts).read_text().splitlines()
    other = tmp_path / "known_hosts"
    names, _, _ = known[0].partition(" ")
    other.write_text(f"{names} {known[1].partition(' ')[2]}\n")
    argv = [
        part.replace(str(three.lab.access.known_hosts), str(other))
        for part in three.lab.access.ssh(f"{three.name}-1", "true")
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_a_hardened_unit_is_really_confined(three: LabUp) -> None:
    options = [part for option in HARDENED.split() for part in ("-p", option)]
    script = "touch /usr/seen && echo system; ls /home/ops && echo home; touch /tmp/own && ls /tmp; ls /dev/kmsg"
    run = [
        "sudo",
        "systemd-run",
        "--quiet",
        "--pipe",
        "--wait",
        *options,
        "/bin/sh",
        "-c",
        f"{script}; ulimit -Hn",
    ]
    done = three.on("1", *run)
    *seen, files = done.stdout.split()
    assert (done.code, seen) == (0, ["own"]), done
    limit = three.on("1", "sudo", "sh", "-c", "ulimit -Hn").stdout.strip()
    assert files == limit if int(limit) < 655350 else files == "655350"


def test_faults_of_the_network_can_be_made(three: LabUp) -> None:
    script = (
        "set -e; iptables -A INPUT -p tcp --dport 9 -j DROP; iptables -D INPUT -p tcp --dport 9 -j DROP;"
        "tc qdisc add dev eth0 root tbf rate 10mbit burst 32kbit latency 100ms; tc qdisc del dev eth0 root;"
        f"ping -c 1 -W 5 {three.name}-2"
    )
    done = three.on("1", "sudo", "sh", "-c", script)
    assert done.code == 0, done


def test_kernel_settings_of_the_machine_are_out_of_reach(three: LabUp) -> None:
    before = kernel.read(["vm.max_map_count"])
    assert three.on("1", "sudo", "sysctl", "-w", "vm.max_map_count=77777").code != 0
    assert kernel.read(["vm.max_map_count"]) == before


LASTING = r"""
unit='[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n'
printf "$unit" > /etc/systemd/system/lasting.service
systemctl enable --quiet lasting && touch /run/gone && sync
"""


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_reboot_comes_back_at_the_same_address(three: LabUp, power_cut: bool) -> None:
    host = f"{three.name}-3"
    assert three.on(host, "sudo", "sh", "-c", LASTING).code == 0
    address = three.lab.access.addresses[host]
    three.lab.reboot(host, power_cut=power_cut)
    assert three.lab.access.addresses[host] == address
    until_equal(
        lambda: three.on(host, "systemctl", "is-active", "lasting").stdout, "active\n", "the enabled unit starts"
    )
    assert three.on(host, "test", "-e", "/run/gone").code == 1, "/run outlived the reboot"


def test_a_reboot_from_inside_comes_back(three: LabUp) -> None:
    host = f"{three.name}-3"
    done = three.on(host, "sudo", "sh", "-c", "touch /run/gone && systemctl --no-block reboot")
    assert done.code in {0, 255}, done  # the host may close the connection before it says how the command ended
    until(lambda: gone(three, host), "it has come back", 180)


def gone(three: LabUp, host: str) -> bool:
    """Tell whether a host has come back from a reboot, after which ``/run`` is new."""
    with suppress(subprocess.TimeoutExpired):  # asked in the moment in which it was off
        return three.on(host, "test", "-e", "/run/gone").code == 1
    return False


def test_a_host_that_is_off_is_seen_and_comes_back(three: LabUp) -> None:
    host = f"{three.name}-3"
    three.lab.stop(host, power_cut=True)
    try:
        found = {each["name"]: each for each in three.status["hosts"]}
        assert (found[host]["running"], found[host]["sshd"]) == (False, False)
        assert three.status["good"] is False
    finally:
        three.lab.start(host)


@pytest.fixture
def foreign(podman: Engine) -> Iterator[str]:
    """A network and a container that have the names that a lab would take, and are not one's."""
    name = f"f{os.getpid()}"
    podman.do("network", "create", f"rmqops-{name}")
    container = [f"--name=rmqops-{name}-1", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]
    options = ["--runtime=runc", "--detach", "--pull=never", "--network=none", *container]
    podman.do("run", *options, images.name(images.recipe()), "sleep", "infinity")
    yield name
    podman.do("rm", "--force", "--time=0", f"rmqops-{name}-1")
    podman.do("network", "rm", f"rmqops-{name}")


def test_what_is_not_ours_is_not_touched(foreign: str, podman: Engine, tmp_path: Path) -> None:
    def looks() -> tuple[str, str]:
        container = podman.do("inspect", f"rmqops-{foreign}-1").stdout
        return container, podman.do("network", "inspect", f"rmqops-{foreign}").stdout

    before = looks()
    up = rmqops("lab", "up", "--name", foreign, "--hosts", "3", cwd=tmp_path)
    assert (up.code, "not this lab's" in up.stderr) == (5, True), up
    down = rmqops("lab", "down", "--name", foreign, cwd=tmp_path)
    assert down.code == 0, down
    assert looks() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state_lost", [False, True])
def test_killed_in_the_middle_and_then_down_leaves_nothing(
    state_lost: bool, podman: Engine, tmp_path: Path
) -> None:
    name = f"k{os.getpid()}{'s' if state_lost else ''}"
    own = str(tmp_path / "state")
    argv = [sys.executable, "-m", "rmqops", "lab", "up", "--name", name, "--hosts", "5"]
    environment = {**os.environ, "RMQOPS_STATE": own}
    victim = subprocess.Popen(argv, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    try:

        def begun() -> bool:
            assert victim.poll() is None, "it was done before it could be killed"
            return bool(podman.hosts(name))

        until(begun, "a host has come up", 120, interval=0)
        victim.kill()
        victim.wait()
        if not state_lost:
            again = rmqops("lab", "up", "--name", name, "--hosts", "5", cwd=tmp_path, RMQOPS_STATE=own)
            assert again.code == 0, again
    finally:
        victim.kill()
        state = str(tmp_path / "elsewhere") if state_lost else own
        done = rmqops("lab", "down", "--name", name, cwd=tmp_path, RMQOPS_STATE=state)
    assert done.code == 0, done
    assert left_of(podman, name) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_sudo_with_a_password_and_kernel_settings(lab: Callable[..., LabUp]) -> None:
    before = kernel.read(["vm.max_map_count"])
    asking = lab(hosts=3, sudo_password=True, kernel_settings=True)
    assert asking.on("1", "sudo", "-n", "true").code != 0
    password = (asking.lab.access.key.parent / "sudo_password").read_text()
    login = asking.lab.access.ssh(f"{asking.name}-1", "sudo", "-S", "-p", "", "id", "-un")
    done = subprocess.run(login, input=password, capture_output=True, text=True, check=False)
    assert done.stdout == "root\n", done
    assert password.strip() not in asking.inventory.read_text()
    setting = asking.lab.access.ssh(
        f"{asking.name}-1", "sudo", "-S", "-p", "", "sysctl", "-w", "vm.max_map_count=77777"
    )
    assert subprocess.run(setting, input=password, capture_output=True, text=True, check=False).returncode == 0
    assert kernel.read(["vm.max_map_count"]) == {"vm.max_map_count": "77777"}
    asking.must("lab", "down", "--name", asking.name)
    assert kernel.read(["vm.max_map_count"]) == before

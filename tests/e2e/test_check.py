"""`rmqops check` as a user runs it: this machine, inventories with mistakes, and hosts behind a real sshd."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.operations.check.probes import kernel
from tests.support.clusters import Done, dledger_inventory, free_port_base, rmqops
from tests.support.sshd import Sshd, sshd

pytestmark = pytest.mark.e2e

FINDING = {"host", "instances", "probe", "subject", "severity", "found", "wanted", "remedy"}


def check(inventory: Path | str, *options: str) -> tuple[Done, dict[str, Any]]:
    done = rmqops("check", "--inventory", str(inventory), "--json", *options)
    assert "Traceback" not in done.stderr, done
    return done, json.loads(done.stdout)


def bad(answer: dict[str, Any], *severities: str) -> dict[str, dict[str, Any]]:
    """Return the findings of some severities by probe; tests break one thing a probe."""
    wanted = severities or ("failed", "unknown")
    return {item["probe"]: item for item in answer["findings"] if item["severity"] in wanted}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A cluster on this machine that is not deployed."""
    path = tmp_path / "inventory.yml"
    path.write_text(yaml.safe_dump(dledger_inventory(tmp_path / "srv", free_port_base())))
    return path


def edit(path: Path, **variables: object) -> None:
    document = yaml.safe_load(path.read_text())
    document["all"]["vars"].update(variables)
    path.write_text(yaml.safe_dump(document))


def port_of(inventory: Path) -> int:
    document = yaml.safe_load(inventory.read_text())
    port: int = document["all"]["children"]["namesrv"]["hosts"]["namesrv-1"]["rocketmq_listen_port"]
    return port


def test_the_local_inventory_is_looked_at_without_ssh_and_sudo() -> None:
    done, answer = check("local")
    probes = {item["probe"] for item in answer["findings"]}
    assert {"address", "clock", "disk", "java", "kernel", "memory", "ports", "connections"} - probes == {"clock"}
    assert not probes & {"ssh", "sudo"}
    assert {item["host"] for item in answer["findings"]} == {"localhost"}
    assert all(set(item) == FINDING for item in answer["findings"])
    assert all(item["remedy"] for item in answer["findings"] if item["severity"] != "ok")
    assert (done.code == 0) is answer["passed"] is (not bad(answer))


def test_a_fit_machine_passes_and_the_table_says_so(inventory: Path) -> None:
    done = rmqops("check", "--inventory", str(inventory), "--verbose")
    assert done.code == 0, done
    assert "is fit" in done.stdout
    assert "connections" in done.stdout
    short = rmqops("check", "--inventory", str(inventory))
    assert "as wanted" in short.stdout
    assert len(short.stdout.splitlines()) < len(done.stdout.splitlines())
    assert not (inventory.parent / "srv").exists(), "a check makes nothing"


def test_a_port_of_another_process_is_named_with_its_owner(inventory: Path) -> None:
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("0.0.0.0", port_of(inventory)))
        squatter.listen()
        done, answer = check(inventory)
    assert done.code == 4
    found = bad(answer)
    assert set(found) == {"ports"}
    assert found["ports"]["subject"] == "namesrv-1"
    assert f"port {port_of(inventory)} is taken by pid {os.getpid()} " in found["ports"]["found"]


def test_what_is_in_the_way_is_told_all_at_once(inventory: Path) -> None:
    home = inventory.parent / "srv" / "instances" / "namesrv-2"
    home.mkdir(parents=True)
    (home / ".rmqops").write_text("prod/namesrv-2\n")
    foreign = inventory.parent / "srv" / "instances" / "namesrv-3"
    foreign.mkdir()
    (foreign / "wp-config.php").touch()
    data = inventory.parent / "srv" / "instances" / "broker-a-1" / "data"
    data.mkdir(parents=True)
    (data / "commitlog").touch()
    edit(inventory, rocketmq_java_home="/nowhere/jdk")
    done, answer = check(inventory)
    assert done.code == 4
    told = {
        (item["probe"], item["subject"]): item["found"] for item in answer["findings"] if item["severity"] != "ok"
    }
    assert f"{home} belongs to prod/namesrv-2" in told["obstacles", "namesrv-2"]
    assert "wp-config.php" in told["obstacles", "namesrv-3"]
    assert "take it up" in told["obstacles", "broker-a-1"]
    assert "/nowhere/jdk/bin/java" in told["java", "/nowhere/jdk"]


def test_an_address_of_another_machine_is_found(inventory: Path) -> None:
    edit(inventory, rocketmq_address="198.18.0.77")
    done, answer = check(inventory)
    assert done.code == 4
    assert "198.18.0.77 is not" in bad(answer)["address"]["found"]
    assert "address" in bad(answer)["connections"]["remedy"]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A small file system with little room."""
    place = tmp_path / "full"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_file_system_without_room_is_not_written_to(inventory: Path, full: Path) -> None:
    edit(inventory, rocketmq_data_dir=f"{full}/{{{{ inventory_hostname }}}}")
    _, answer = check(inventory)
    (room,) = [item for item in answer["findings"] if item["probe"] == "disk" and item["subject"] == str(full)]
    assert room["severity"] == "failed"
    assert "384 MiB free" in room["wanted"]  # two files of 64 MiB for each of three brokers
    assert "less than 256 MiB" in bad(answer)["write-speed"]["found"]
    assert "is memory" in bad(answer, "warning")["disk"]["found"]
    assert list(full.iterdir()) == []


def test_a_sample_is_refused() -> None:
    done = rmqops("check", "--inventory", "prod")
    assert done.code == 4
    assert "is a sample" in done.stderr


def test_apply_asks_first(inventory: Path) -> None:
    """With nobody to ask, nothing is touched; where nothing can be mended it says so and goes on."""
    done = rmqops("check", "--inventory", str(inventory), "--apply")
    if "nothing that --apply" in done.stderr:
        assert done.code == 0
    else:
        assert done.code == 5
        assert "nothing was touched" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="sysctl needs root")
def test_the_drop_in_is_written_once_and_remembers_what_was(tmp_path: Path) -> None:
    """The script that --apply runs, with values that are in force already, so that nothing changes here."""
    drop_in = tmp_path / "60-rocketmq.conf"
    keys = ["vm.swappiness", "vm.max_map_count"]
    values = {key: Path("/proc/sys", key.replace(".", "/")).read_text().strip() for key in keys}
    if not os.access("/proc/sys/vm/swappiness", os.W_OK):
        pytest.skip("the kernel's settings are read-only here")

    def mend(*pairs: str) -> None:
        subprocess.run(["/bin/sh", "-c", kernel._MEND, "rmqops", str(drop_in), *pairs], check=True)

    mend(f"vm.swappiness={values['vm.swappiness']}")
    first = drop_in.read_text()
    mend(f"vm.swappiness={values['vm.swappiness']}")
    assert drop_in.read_text() == first
    mend(f"vm.max_map_count={values['vm.max_map_count']}")
    lines = drop_in.read_text().splitlines()
    for key, value in values.items():
        assert lines.count(f"{key} = {value}") == 1
        assert lines.count(f"# was: {key} = {value}") == 1
    assert drop_in.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == [drop_in.name]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def remote(inventory: Path, host: Sshd) -> Path:
    """The cluster of ``inventory``, reached by ssh."""
    host.trust()
    document = yaml.safe_load(inventory.read_text())
    variables = document["all"]["vars"]
    ours = {key: value for key, value in host.variables().items() if key.startswith("ansible_")}
    variables.update(ours, ansible_python_interpreter=sys.executable, rocketmq_address="127.0.0.1")
    del variables["ansible_connection"]
    inventory.write_text(yaml.safe_dump(document))
    return inventory


def test_a_host_over_ssh(remote: Path, host: Sshd) -> None:
    done, answer = check(remote)
    assert done.code == 0, answer
    assert {item["host"] for item in answer["findings"]} == {f"127.0.0.1:{host.port}", "this machine"}
    clock = next(item for item in answer["findings"] if item["probe"] == "clock")
    assert clock["severity"] == "ok"
    assert {item["probe"] for item in answer["findings"]} >= {"ssh", "python", "clock", "connections"}


@pytest.mark.parametrize("mistake", ["unknown host key", "changed host key", "wrong key", "nobody there", "sudo"])
def test_a_host_that_cannot_be_asked_is_one_clear_row(
    remote: Path, host: Sshd, mistake: str, tmp_path: Path
) -> None:
    probe = "ssh"
    if mistake == "unknown host key":
        host.known_hosts.write_text("")
    elif mistake == "changed host key":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
        other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
        host.known_hosts.write_text(f"[127.0.0.1]:{host.port} {other}\n")
    elif mistake == "wrong key":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
        edit(remote, ansible_ssh_private_key_file=str(tmp_path / "other"))
    elif mistake == "nobody there":
        edit(remote, ansible_port=1)
    else:
        edit(remote, ansible_become=True, ansible_become_user="nobody-of-that-name")
        probe = "sudo"
    done, answer = check(remote)
    assert done.code == 4
    (row,) = answer["findings"]
    assert (row["probe"], row["severity"]) == (probe, "failed")
    assert row["remedy"]
    assert len(row["instances"]) == 6

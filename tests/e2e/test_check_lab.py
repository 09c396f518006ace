"""`rmqops check` against real hosts with systemd, sshd and addresses of their own, good ones and bad ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.clusters import Done
from tests.support.lab import LabUp

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

RESERVED = "net.ipv4.ip_local_reserved_ports"
DROP_IN = "/etc/sysctl.d/60-rocketmq.conf"
SQUAT = "import socket, time; s = socket.socket(); s.bind(('', 10909)); s.listen(); time.sleep(600)"


@pytest.fixture(scope="module")
def three(lab: Callable[..., LabUp]) -> Iterator[LabUp]:
    """Three hosts, each with a NameServer and a member of one DLedger group; they may set what is their own.

    They go with the module: while they are up, kernel settings are not set back.
    """
    up = lab(hosts=3, kernel_settings=True)
    yield up
    up.must("lab", "down", "--name", up.name)


def check(lab: LabUp, inventory: Path | None = None, *options: str) -> tuple[Done, dict[str, Any]]:
    done = lab.rmqops("check", "--inventory", str(inventory or lab.inventory), "--json", *options)
    assert "Traceback" not in done.stderr, done
    return done, json.loads(done.stdout)


def bad(answer: dict[str, Any]) -> dict[tuple[str, str | None, str], dict[str, Any]]:
    """Return what failed or is unknown, by the first instance of the host, probe and subject."""
    return {
        ((item["instances"] or ["this machine"])[0], item["probe"], item["subject"] or ""): item
        for item in answer["findings"]
        if item["severity"] in {"failed", "unknown"}
    }


def root(lab: LabUp, host: str, script: str, *arguments: str) -> str:
    done = lab.on(host, "sudo", "sh", "-c", script, "sh", *arguments)
    assert done.code == 0, done
    return done.stdout


def edited(lab: LabUp, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write a copy of the lab's inventory with something changed."""
    document = yaml.safe_load(lab.inventory.read_text())
    change(document)
    path = lab.inventory.with_name("edited.yml")
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_fresh_lab_is_fit(three: LabUp) -> None:
    done, answer = check(three)
    assert done.code == 0, bad(answer)
    good = [item for item in answer["findings"] if item["severity"] == "ok"]
    everywhere = ("ssh", "sudo", "python", "system", "memory", "disk", "clock", "ports", "connections", "address")
    for probe in (*everywhere, "names", "obstacles", "java", "supervisor"):
        assert len({item["host"] for item in good if item["probe"] == probe} - {"this machine"}) == 3, probe
    made = [item["found"] for item in good if item["probe"] == "connections"]
    assert made == ["7 made"] * 3 + ["6 made"]  # 3 NameServers and two ports of 2 peers; rmqops to 6 instances


def test_every_mistake_is_found_at_once(three: LabUp) -> None:
    """A firewall one way, a squatter, another cluster's directory, a full disk, the address of another machine."""

    def change(document: dict[str, Any]) -> None:
        brokers = document["all"]["children"]["brokers"]["children"]["broker-a"]["hosts"]
        addresses = [brokers[f"broker-a-{number}"]["ansible_host"] for number in range(3)]
        brokers["broker-a-1"]["rocketmq_data_dir"] = "/small/data"
        moved = {"rocketmq_address": addresses[0], "rocketmq_listen_port": 11911, "rocketmq_dledger_port": 41911}
        brokers["broker-a-2"].update(moved)

    inventory = edited(three, change)
    one, two, three_ = "namesrv-1", "namesrv-2", "namesrv-3"
    address = yaml.safe_load(inventory.read_text())["all"]["children"]["namesrv"]["hosts"][two]["ansible_host"]
    home = f"/opt/rocketmq/instances/{three_}"
    root(three, one, f"iptables -I INPUT -p tcp --dport 40911 -s {address} -j DROP")
    root(three, two, "mkdir -p /small && mount -t tmpfs -o size=32m tmpfs /small")
    root(three, two, 'systemd-run -q --unit=squatter python3 -c "$1"', SQUAT)
    root(three, three_, f"mkdir -p {home} && echo prod/{three_} > {home}/.rmqops")
    try:
        done, answer = check(three, inventory)
    finally:
        root(three, one, f"iptables -D INPUT -p tcp --dport 40911 -s {address} -j DROP")
        root(three, two, "systemctl stop squatter; umount /small; rmdir /small")
        root(three, three_, f"rm -r {home}")
    assert done.code == 4
    found = bad(answer)
    assert "no answer within" in found[two, "connections", "to broker-a-0"]["found"]
    assert "40911" in found[two, "connections", "to broker-a-0"]["remedy"]
    assert "10909 is taken by pid" in found[two, "ports", "broker-a-1"]["found"]
    assert found[two, "disk", "/small"]["severity"] == "failed"
    assert "belongs to prod/namesrv-3" in found[three_, "obstacles", three_]["found"]
    assert "is not; the machine has" in found[three_, "address", "broker-a-2"]["found"]
    assert "see the row of address" in found[one, "connections", "to broker-a-2"]["remedy"]
    assert (one, "connections", "to broker-a-1") not in found, "the firewall drops one way only"
    listening = {host: root(three, host, "ss -ltnH") for host in (one, two, three_)}
    assert not any("40911" in text for text in listening.values()), "our listeners are gone"


def test_a_clock_that_is_off_and_a_java_of_another_machine_are_found(three: LabUp) -> None:
    """A container shares its clock, so a `date` of its own tells the time of a minute ago."""

    def change(document: dict[str, Any]) -> None:
        broker = document["all"]["children"]["brokers"]["children"]["broker-a"]["hosts"]["broker-a-1"]
        broker.update(rocketmq_java="system", rocketmq_java_home="/opt/foreign")

    late, foreign = "namesrv-3", "namesrv-2"
    root(three, late, """printf '#!/bin/sh\\nexec /bin/date -d "60 seconds ago" "$@"\\n' > /usr/local/bin/date""")
    root(three, late, "chmod 755 /usr/local/bin/date")
    root(three, foreign, "mkdir -p /opt/foreign/bin && cp /bin/true /opt/foreign/bin/java")
    # The machine in an ELF header: 183 is AArch64, 62 is x86-64.
    other = "[ $(uname -m) = aarch64 ] && code=076 || code=267"
    patch = "dd of=/opt/foreign/bin/java bs=1 seek=18 conv=notrunc 2> /dev/null"
    root(three, foreign, f'{other}; printf "\\\\$code" | {patch}')
    try:
        done, answer = check(three, edited(three, change))
    finally:
        root(three, late, "rm /usr/local/bin/date")
        root(three, foreign, "rm -r /opt/foreign")
    assert done.code == 4
    found = bad(answer)
    assert -61 < float(found[late, "clock", ""]["found"].split()[0]) < -59
    assert "does not run" in found[foreign, "java", "/opt/foreign"]["found"]
    assert "Exec format error" in found[foreign, "java", "/opt/foreign"]["found"]
    assert {key[0] for key in found} == {late, foreign}


@contextmanager
def without_python(lab: LabUp, host: str) -> Iterator[None]:
    root(lab, host, "mv /usr/bin/python3 /usr/bin/python3.away")
    try:
        yield
    finally:
        root(lab, host, "mv /usr/bin/python3.away /usr/bin/python3")


def test_a_host_that_hangs_and_one_without_python_stop_nobody(three: LabUp, tmp_path: Path) -> None:
    hung = three.lab.find("namesrv-3")
    impatient = tmp_path / "hosts.yml"
    impatient.write_text(three.inventory.read_text().replace("ConnectTimeout=60", "ConnectTimeout=20"))
    with without_python(three, "namesrv-2"):
        three.lab.freeze(hung)
        try:
            done, answer = check(three, impatient)
        finally:
            three.lab.thaw(hung)
    assert done.code == 4
    found = bad(answer)
    assert [key[1] for key in found if key[0] == "namesrv-3"] == ["ssh"]
    assert "python3" in found["namesrv-2", "python", ""]["found"]
    assert "not tried" in found["namesrv-2", "connections", ""]["found"]
    assert not [key for key in found if key[0] == "namesrv-1"], found
    names = [
        item["found"] for item in answer["findings"] if item["probe"] == "connections" and item["severity"] == "ok"
    ]
    assert "1 made" in names, "namesrv-1 reaches the one NameServer that is neither hung nor without a listener"


def test_apply_sets_what_is_the_hosts_own_and_can_be_taken_back(three: LabUp) -> None:
    before = root(three, "namesrv-1", "sysctl -n vm.swappiness vm.max_map_count")
    done, answer = check(three, None, "--apply", "--yes")
    assert done.code == 0, bad(answer)
    assert RESERVED not in {item["subject"] for item in answer["findings"] if item["severity"] == "warning"}
    assert root(three, "namesrv-1", f"sysctl -n {RESERVED}").strip() == "40911"
    written = root(three, "namesrv-1", f"cat {DROP_IN}")
    assert f"{RESERVED} = 40911\n" in written
    assert "vm." not in written, "shared with the machine that runs the container"
    assert root(three, "namesrv-1", "sysctl -n vm.swappiness vm.max_map_count") == before
    again, _ = check(three, None, "--apply", "--yes")
    assert "nothing that --apply could mend" in again.stderr
    assert root(three, "namesrv-1", f"cat {DROP_IN}") == written
    back = f'sed -n "s/^# was: //p" {DROP_IN} > /tmp/was && sysctl -p /tmp/was && rm {DROP_IN}'
    for host in ("namesrv-1", "namesrv-2", "namesrv-3"):
        root(three, host, back)
    assert root(three, "namesrv-1", f"sysctl -n {RESERVED}").strip() == ""
    _, answer = check(three)
    assert RESERVED in {item["subject"] for item in answer["findings"] if item["severity"] == "warning"}

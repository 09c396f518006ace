"""A check over several machines: this one under several names, by its real scripts, and some that fail."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.errors import BecomeRefused, HostUnreachable, OperationFailed, RmqopsError
from rmqops.model.commands import Command, Result
from rmqops.model.topology import Instance, Topology
from rmqops.operations.check import check, probes
from rmqops.operations.check.check import CheckReport, Offer
from rmqops.operations.check.probes import Finding, Mend, Survey, huge_pages
from rmqops.operations.hosts.machines import Machine, machines
from rmqops.operations.hosts.sections import Answer
from rmqops.transport.base import Transport, Transports
from rmqops.transport.local import LocalTransport
from tests.support.clusters import free_port_base
from tests.unit.model.conftest import edited, load


class Failing(LocalTransport):
    """A transport that raises from a call on, or at that call alone; otherwise it is this machine."""

    def __init__(self, error: BaseException, after: int = 0, *, once: bool = False) -> None:
        super().__init__()
        self.error = error
        self.after = after
        self.once = once

    def run(self, command: Command) -> Result:
        self.after -= 1
        if self.after == -1 or (self.after < 0 and not self.once):
            raise self.error
        return super().run(command)


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    """Two NameServers and a broker of this machine, posing as three machines behind ssh."""
    base = free_port_base()
    edits = {
        "vars.rocketmq_base_dir": str(tmp_path / "srv"),
        "vars.ansible_python_interpreter": sys.executable,
        "namesrv.hosts": {"ns1": {"rocketmq_listen_port": base}, "ns2": {"rocketmq_listen_port": base + 1}},
        "children.brokers": {
            "children": {
                "lone": {"vars": {"rocketmq_mode": "single"}, "hosts": {"b": {"rocketmq_listen_port": base + 10}}}
            }
        },
    }
    made = load(edited("laptop", edits))[0]

    def pose(instance: Instance, number: int) -> Instance:
        return replace(instance, connection="ssh", host=f"127.0.0.{number}")

    servers = tuple(pose(item, number) for number, item in enumerate(made.nameservers, 2))
    groups = tuple(replace(group, members=tuple(pose(item, 4) for item in group.members)) for group in made.groups)
    return replace(made, nameservers=servers, groups=groups)


def transports(**failing: Transport) -> Transports:
    return lambda instance: failing.get(instance.name, LocalTransport())


def rows(report: CheckReport, host: str) -> list[tuple[str, Finding]]:
    return [(row.probe, row.finding) for row in report.rows if row.host == host]


def test_every_machine_is_asked_and_connections_are_made(topology: Topology) -> None:
    report = check.check(topology, transports=transports())
    assert {row.host for row in report.rows} == {"127.0.0.2", "127.0.0.3", "127.0.0.4", check.CONTROLLER}
    for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
        assert {"ssh", "python", "address", "clock", "disk"} <= {probe for probe, _ in rows(report, host)}
    made = {row.host: row.finding for row in report.rows if row.probe == "connections"}
    assert {host: finding.found for host, finding in made.items()} == {
        "127.0.0.4": "2 made",
        check.CONTROLLER: "3 made",
    }


@pytest.mark.parametrize(
    ("error", "probe"),
    [
        (HostUnreachable("b: no answer", detail="timed out\nafter 10 s", remedy="switch it on"), "ssh"),
        (BecomeRefused("b: sudo wants a password", remedy="give -K"), "sudo"),
        (OperationFailed("b: hangs"), "ssh"),
        (RuntimeError("a bug"), "ssh"),
    ],
)
def test_a_machine_that_fails_is_one_row_and_holds_up_nobody(
    topology: Topology, error: Exception, probe: str
) -> None:
    report = check.check(topology, transports=transports(b=Failing(error)))
    ((name, finding),) = rows(report, "127.0.0.4")
    assert (name, finding.severity) == (probe, "failed")
    assert str(error.message if isinstance(error, RmqopsError) else error) in finding.found
    assert finding.remedy
    assert not report.passed
    assert len(rows(report, "127.0.0.2")) > 10
    assert ("connections", "2 made") in [(name, item.found) for name, item in rows(report, check.CONTROLLER)]


def test_a_machine_that_is_lost_midway_keeps_what_it_told(topology: Topology) -> None:
    report = check.check(topology, transports=transports(b=Failing(HostUnreachable("b: gone"), after=1)))
    told = rows(report, "127.0.0.4")
    assert ("ssh", "failed") in [(name, finding.severity) for name, finding in told]
    assert ("connections", "unknown") in [(name, finding.severity) for name, finding in told]
    assert "address" in {name for name, _ in told}


def test_an_interrupted_check_leaves_no_listener(topology: Topology) -> None:
    interrupted = Failing(KeyboardInterrupt(), after=2, once=True)
    with pytest.raises(KeyboardInterrupt):
        check.check(topology, transports=transports(b=interrupted))
    for server in topology.instances:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", server.port)) != 0, f"something listens at {server.port}"


def test_a_probe_that_breaks_is_unknown_and_no_pass(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        SUMMARY = "breaks"

        def ask(self, _machine: Machine, _survey: Survey) -> Iterator[Command]:
            yield Command(("true",))

        def judge(self, _machine: Machine, _answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
            yield probes.ok("fine", "fine")
            raise KeyError("no")

    monkeypatch.setattr(probes, "discover", lambda: {"broken": Broken()})
    report = check.check(topology, transports=transports())
    assert {(row.probe, row.finding.severity) for row in report.rows} == {("broken", "unknown")}
    assert "KeyError" in report.rows[0].finding.found
    assert not report.passed


def test_a_warning_is_no_failure() -> None:
    row = check.ProbeResult("h", ("a",), "swap", probes.warning("some", "none", "swapoff"))
    assert CheckReport("c", (row,)).passed
    answer = CheckReport("c", (row,)).json()
    assert answer["counts"] == {"ok": 0, "warning": 1, "failed": 0, "unknown": 0}
    assert answer["findings"] == [
        {
            "host": "h",
            "instances": ["a"],
            "probe": "swap",
            "subject": None,
            "severity": "warning",
            "found": "some",
            "wanted": "none",
            "remedy": "swapoff",
        }
    ]


def test_mending_says_for_each_offer_whether_it_was_done(topology: Topology) -> None:
    good, bad, _ = machines(topology.instances)
    offers = (
        Offer(good, "kernel", Mend("set it", Command(("true",)))),
        Offer(bad, "kernel", Mend("set it", Command.shell("echo no room >&2; exit 1"))),
    )
    done = check.mend(CheckReport("c", (), offers), transports=transports())
    assert [(row.host, row.finding.severity) for row in done] == [("127.0.0.2", "ok"), ("127.0.0.3", "failed")]
    assert "no room" in done[1].finding.found


def test_huge_pages_are_set_now_and_at_each_boot_and_again_changes_nothing(tmp_path: Path) -> None:
    """The script that --apply runs, on files that stand for the kernel's switch and the drop-in."""
    switch, drop_in = tmp_path / "enabled", tmp_path / "rocketmq.conf"
    switch.write_text("[always] madvise never\n")
    script = huge_pages._MEND
    assert LocalTransport().run(Command.shell(script, str(switch), str(drop_in))).ok
    assert switch.read_text() == "madvise\n"
    written = drop_in.read_text()
    assert f"w {switch} - - - - madvise\n" in written
    assert "# was: always\n" in written
    assert LocalTransport().run(Command.shell(script, str(switch), str(drop_in))).ok
    assert drop_in.read_text() == written


def test_machines_are_told_apart_by_address_and_ssh_port() -> None:
    hosts = {
        f"alpha.hosts.a{n}": {
            "ansible_host": "10.0.1.0",
            "ansible_port": 2200 + n,
            "rocketmq_address": f"10.5.0.{n}",
            "rocketmq_dledger_id": f"n{n}",
        }
        for n in range(3)
    }
    names = [machine.name for machine in machines(load(edited("fleet", hosts))[0].instances)]
    assert names[2:5] == ["10.0.1.0:2200", "10.0.1.0:2201", "10.0.1.0:2202"]
    (laptop,) = machines(load(edited("laptop", {}))[0].instances)
    assert laptop.local
    assert len(laptop.instances) == 4

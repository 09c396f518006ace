"""What a drill has left on a host, found by the script of the facts and told."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from rmqops.model.topology import Group, Topology
from rmqops.operations.hosts import armed_heals, facts
from rmqops.operations.hosts.facts import ArmedHeal, Facts
from rmqops.operations.hosts.machines import machines
from tests.unit.operations.hosts.test_facts import instance

FAULT = "20261201T000000Z-disk-full-1-1"


def cluster(home: Path) -> Topology:
    victim = instance(home)
    return Topology("c", "4.5.2", "inventory/c", (), (Group("broker-a", "dledger", (victim,)),), drillable=True)


def test_armed_heals_and_what_faults_keep_are_found(tmp_path: Path) -> None:
    home = tmp_path / "it's a home"
    (home / "heals").mkdir(parents=True)
    (home / "data").mkdir()
    (home / "heals" / f"{FAULT}.sh").write_text("exit 1\n")
    os.utime(home / "heals" / f"{FAULT}.sh", (1796083200, 1796083200))
    (home / "heals" / f"{FAULT}.log").write_text("")
    note = home / "heals" / "20260101T000000Z-other-2-1.clock"
    note.write_text("")
    left = home / "data" / ".rmqops-fault-20260101T000000Z-other-1-1"
    left.write_text("")
    (home / "data" / f".rmqops-fault-{FAULT}").write_text("")
    (home / "data" / ".rmqops-fault-x\nmark evil").write_text("")
    (home / "heals" / "x\nmark evil.sh").write_text("")
    topology = cluster(home)
    found = facts.gather(topology.instances)
    assert found["broker-a-0"].heals == (ArmedHeal(FAULT, 1796083200.0),)
    assert found["broker-a-0"].mark is None
    assert set(found["broker-a-0"].leftovers) == {
        str(note),
        str(left),
        str(home / "data" / f".rmqops-fault-{FAULT}"),
    }
    texts = [text for _, text in armed_heals.problems(topology, found)]
    assert texts[0] == (
        f"broker-a-0: the heal of fault {FAULT} lies armed since 2026-12-01 00:00:00 UTC: a drill is under way, "
        "or was cut off (rmqops chaos heal --inventory inventory/c)"
    )
    assert any(str(left) in text and "no heal lies there" in text for text in texts)
    assert any(str(note) in text for text in texts)
    assert not any(FAULT in text for text in texts[1:])


def test_a_chain_is_told_once_a_machine_and_not_where_its_heal_lies() -> None:
    topology = cluster(Path("/nowhere"))
    other = replace(topology.instances[0], name="broker-a-1")
    topology = replace(topology, groups=(Group("broker-a", "dledger", (topology.instances[0], other)),))
    ours, stray = armed_heals.chain(FAULT), armed_heals.chain("another-1-1")
    head = Facts(heals=(ArmedHeal(FAULT, 0),), chains=frozenset({ours, stray}))
    told = armed_heals.problems(topology, {"broker-a-0": head, "broker-a-1": replace(head, heals=())})
    assert [name for name, _ in told] == ["broker-a-0", "broker-a-0"]
    assert stray in told[1][1]


def test_chains_are_read_before_the_instances() -> None:
    machine = machines(cluster(Path("/nowhere")).instances)[0]
    read = facts.parse(machine, "listening 0100007F:1F90 \nchain RMQOPS-0123456789abcdef\ninstance /nowhere\n")
    assert read["broker-a-0"].chains == {"RMQOPS-0123456789abcdef"}
    assert read["broker-a-0"].listening == {8080}

"""Healing afterwards: from the hosts alone, from a journal, and again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.chaos.run import heal, journal
from rmqops.chaos.run.environment import Environment
from rmqops.chaos.run.journal import DRILL, Journal, JournalEntry, JournalState, JournalStep
from rmqops.errors import HealFailed, HostUnreachable, UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance, Reachable, Topology
from rmqops.transport.fake import FakeTransport
from tests.support.instances import topology

CLUSTER = topology()
NAME = "20260101T000000Z-mine"
FAULT = f"{NAME}-1-1"
MINE = """
name: mine
description: a trial
proves: [a]
does_not_prove: [b]
phases:
  - strikes: [{fault: kill, target: master}]
  - strikes: [{fault: partition, target: "broker-a-0,broker-gone-9"}]
"""


class Hosts:
    """Hosts with armed heals, by instance; each instance is on a machine of its own."""

    def __init__(self, **armed: str) -> None:
        self.armed = {name.replace("_", "-"): fault for name, fault in armed.items()}
        self.failing = False
        self.away: set[str] = set()
        self.sleepers: dict[str, str] = {}
        """Where a heal lies armed by the host's own processes, by machine."""
        self.cured: list[str] = []

    def environment(self) -> Environment:
        return Environment(transports=self.transport)

    def transport(self, instance: Reachable) -> FakeTransport:
        return FakeTransport(lambda command: self._answer(instance.name, command), instance.name)

    def _answer(self, name: str, command: Command) -> tuple[int, str]:
        if name in self.away:
            raise HostUnreachable(f"{name}: no connection")
        script = command.argv[2] if len(command.argv) > 2 else ""
        if '"$1"/*.sh' in script:
            return 0, self.armed.get(name, "")
        if "rmdir" in script:
            self.armed.pop(name, None)
            self.sleepers.pop(name, None)
            return 0, "armed"
        if "[.]heal=" in script:
            return 0, self.sleepers.get(name, "")
        self.cured.append(f"{name}: {command}")
        return (1, "it failed") if self.failing else (0, "")


def apart(cluster: Topology = CLUSTER) -> Topology:
    """Return a cluster whose instances are on a machine each."""

    def moved(instance: Instance) -> Instance:
        return replace(instance, host=f"{instance.name}.example", connection="ssh")

    return replace(
        cluster,
        nameservers=tuple(map(moved, cluster.nameservers)),
        groups=tuple(replace(group, members=tuple(map(moved, group.members))) for group in cluster.groups),
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = tmp_path / NAME
    directory.mkdir()
    (directory / DRILL).write_text(MINE)
    return directory


def planned(fault: str = FAULT, kind: str = "kill", instance: str = "broker-a-1") -> JournalEntry:
    """Return the heal plan that a drill writes."""
    cure = faults.cure(kind, Aim(CLUSTER.instance(instance), CLUSTER, fault=fault))
    return JournalEntry("heal-plan", "intent", fault, kind, instance, cure.argv)


def write(
    run: Path,
    *steps: tuple[JournalStep, JournalState],
    cluster: str = "trial",
    plan: JournalEntry | None = None,
) -> None:
    plan = plan or planned()
    with Journal(run) as log:
        log.write(JournalEntry("run", "intent", note=cluster))
        log.write(plan)
        for step, state in steps:
            log.write(JournalEntry(step, state, plan.fault, plan.kind, plan.instance, ("any",)))
        log.write(JournalEntry("run", "failed", note="what went wrong"))


def test_a_clean_cluster_has_nothing_to_heal() -> None:
    hosts = Hosts()
    assert heal.heal(CLUSTER, None, hosts.environment()) == ()
    assert hosts.cured == []


def test_without_a_journal_the_hosts_say_what_is_armed() -> None:
    hosts = Hosts(broker_a_1="f-1", namesrv_2="f-2")
    found = heal.heal(CLUSTER, None, hosts.environment())
    assert {(item.what, item.where, item.error) for item in found} == {
        ("f-1", "broker-a-1", None),
        ("f-2", "namesrv-2", None),
    }
    assert heal.heal(CLUSTER, None, hosts.environment()) == (), "the second time there is nothing"


def test_a_heal_that_fails_stays_armed_unless_it_is_to_be_forgotten() -> None:
    hosts = Hosts(broker_a_1="f-1")
    hosts.failing = True
    (item,) = heal.heal(CLUSTER, None, hosts.environment())
    assert "it failed" in str(item.error)
    assert hosts.armed == {"broker-a-1": "f-1"}
    (item,) = heal.heal(CLUSTER, None, hosts.environment(), forget=True)
    assert "yours to end; " in str(item.error)
    assert hosts.armed == {}


def test_a_host_that_is_away_keeps_no_other_from_its_heal(run: Path) -> None:
    write(run, ("inject", "done"), plan=planned(instance="broker-a-0"))
    hosts = Hosts(broker_a_1="f-1", broker_a_2="f-2")
    hosts.away = {"broker-a-0", "namesrv-1"}
    found = heal.heal(apart(), run, hosts.environment())
    assert {item.what for item in found if not item.error} == {"f-1", "f-2"}
    failed = {(item.what, item.where) for item in found if item.error}
    assert failed == {
        (heal.UNASKED, "broker-a-0"),
        (heal.UNASKED, "namesrv-1"),
        (FAULT, "broker-a-0"),
    }
    with pytest.raises(HealFailed, match="3 of 5") as raised:
        heal.require(found)
    assert "namesrv-1: no connection" in str(raised.value.detail)


def test_a_limit_keeps_to_its_instances(run: Path) -> None:
    write(run, ("inject", "done"))
    hosts = Hosts(broker_a_0="f-1", broker_a_2="f-2")
    found = heal.heal(CLUSTER, run, hosts.environment(), only=[CLUSTER.instance("broker-a-0")])
    assert [item.what for item in found] == ["f-1"]
    assert hosts.armed == {"broker-a-2": "f-2"}


@pytest.mark.parametrize(
    ("steps", "open_"),
    [
        ([], False),
        ([("arm", "intent")], False),
        ([("arm", "done"), ("inject", "intent")], True),
        ([("arm", "done"), ("inject", "done"), ("verify", "failed")], True),
        ([("inject", "done"), ("heal", "done"), ("healed", "failed")], True),
        ([("inject", "done"), ("heal", "done"), ("healed", "done")], False),
    ],
)
def test_a_journal_names_what_may_be_in_force(
    run: Path, steps: list[tuple[JournalStep, JournalState]], open_: bool
) -> None:
    write(run, *steps)
    hosts = Hosts()
    found = heal.heal(CLUSTER, run, hosts.environment())
    assert [(item.what, item.error) for item in found] == ([(FAULT, None)] if open_ else [])
    assert hosts.cured == ([f"broker-a-1: {Command(planned().command or ())}"] if open_ else [])
    assert heal.heal(CLUSTER, run, hosts.environment()) == (), "the second time there is nothing"


def test_what_is_both_armed_and_in_the_journal_is_healed_once(run: Path) -> None:
    write(run, ("arm", "done"), ("inject", "done"))
    hosts = Hosts(broker_a_1=FAULT)
    assert len(heal.heal(CLUSTER, run, hosts.environment())) == 1
    assert len(hosts.cured) == 1
    assert journal.read(run)[-1].step == "healed"


@pytest.mark.parametrize("cluster", ["other", ""])
def test_a_run_against_another_cluster_is_refused(run: Path, cluster: str) -> None:
    write(run, ("inject", "intent"), cluster=cluster)
    hosts = Hosts(broker_a_1="f-2")
    with pytest.raises(UsageError, match=f"a run against {cluster}"):
        heal.heal(CLUSTER, run, hosts.environment())
    assert hosts.cured == []


def test_a_topic_that_cannot_be_deleted_is_told(run: Path) -> None:
    with Journal(run) as log:
        log.write(JournalEntry("run", "intent", note="trial"))
        log.write(JournalEntry("topic", "intent", note=f"rmqops-drill-{NAME}"))
    (item,) = heal.heal(CLUSTER, run, Hosts().environment())
    assert item.what == f"rmqops-drill-{NAME}"
    assert "no NameServer of trial answers" in str(item.error)


def test_a_run_without_its_drill_explains_nothing_and_keeps_no_armed_heal(run: Path) -> None:
    write(run, ("inject", "done"))
    (run / DRILL).write_text("name: [")
    hosts = Hosts(broker_a_0="f-1")
    found = {item.what: item.error for item in heal.heal(CLUSTER, run, hosts.environment())}
    assert found["f-1"] is None
    assert "the run's own drill cannot be read" in str(found[FAULT])
    assert len(hosts.cured) == 1


def test_an_instance_that_the_inventory_has_no_more_is_named_and_the_rest_is_healed(run: Path) -> None:
    write(
        run,
        ("inject", "done"),
        plan=replace(planned(f"{NAME}-2-2", "partition", "broker-a-0"), instance="broker-gone-9"),
    )
    with Journal(run) as log:
        kept = planned(f"{NAME}-2-1", "partition", "broker-a-0")
        log.write(kept)
        log.write(JournalEntry("inject", "done", kept.fault, kept.kind, kept.instance))
    hosts = Hosts()
    found = {item.where: item.error for item in heal.heal(CLUSTER, run, hosts.environment())}
    assert "trial.yml has no instance broker-gone-9" in str(found["broker-gone-9"])
    assert found["broker-a-0"] is None
    assert len(hosts.cured) == 1


def test_what_lies_elsewhere_by_now_is_healed_where_a_host_says_that_it_lies(run: Path) -> None:
    """Its directory has moved in the inventory: a process of the host's own says where the heal is."""
    write(run, ("inject", "done"))
    moved = topology("/elsewhere")
    hosts = Hosts()
    (item,) = heal.heal(moved, run, hosts.environment())
    assert "its directories have changed since" in str(item.error)
    assert "the inventory and the rmqops of then" in str(item.error)
    assert hosts.cured == []
    hosts.sleepers["namesrv-1"] = f"/nowhere/broker-a-1/heals/{FAULT}\n"
    (item,) = heal.heal(moved, run, hosts.environment())
    assert item.error is None
    assert hosts.cured == [f"namesrv-1: /bin/sh /nowhere/broker-a-1/heals/{FAULT}.sh"]


def test_what_was_struck_on_another_machine_is_not_healed_on_this_one(run: Path) -> None:
    write(run, ("inject", "done"), plan=replace(planned(), machine="old.example"))
    hosts = Hosts()
    (item,) = heal.heal(CLUSTER, run, hosts.environment())
    assert "was on old.example then" in str(item.error)
    assert hosts.cured == []

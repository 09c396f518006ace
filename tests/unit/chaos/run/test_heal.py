"""Healing afterwards: from the hosts alone, from a journal, and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.chaos.run import heal, journal
from rmqops.chaos.run.environment import Environment
from rmqops.chaos.run.journal import Journal, JournalEntry, JournalState, JournalStep
from rmqops.errors import OperationFailed, UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Reachable
from rmqops.transport.fake import FakeTransport
from tests.support.instances import topology

CLUSTER = topology()


class Hosts:
    """Hosts with armed heals, by instance."""

    def __init__(self, **armed: str) -> None:
        self.armed = {name.replace("_", "-"): fault for name, fault in armed.items()}
        self.failing = False
        self.cured: list[str] = []

    def transport(self, instance: Reachable) -> FakeTransport:
        return FakeTransport(lambda command: self._answer(instance.name, command), instance.name)

    def _answer(self, name: str, command: Command) -> tuple[int, str]:
        script = command.argv[2] if len(command.argv) > 2 else ""
        if "/heals/*.sh" in script:
            return 0, self.armed.get(name, "")
        if "rmdir" in script:
            self.armed.pop(name, None)
            return 0, "armed"
        self.cured.append(f"{name}: {command.argv[-1]}")
        return (1, "it failed") if self.failing else (0, "")


def write(run: Path, *steps: tuple[JournalStep, JournalState], cluster: str = "trial") -> None:
    with Journal(run) as log:
        log.write(JournalEntry("run", "intent", note=cluster))
        for step, state in steps:
            log.write(JournalEntry(step, state, "f-1", "kill", "broker-a-1", ("cure", step)))
        log.write(JournalEntry("run", "failed", note="what went wrong"))


def test_a_clean_cluster_has_nothing_to_heal() -> None:
    hosts = Hosts()
    assert heal.heal(CLUSTER, None, Environment(transports=hosts.transport)) == ()
    assert hosts.cured == []


def test_without_a_journal_the_hosts_say_what_is_armed() -> None:
    hosts = Hosts(broker_a_1="f-1", namesrv_2="f-2")
    found = heal.heal(CLUSTER, None, Environment(transports=hosts.transport))
    assert {(item.what, item.where, item.error) for item in found} == {
        ("f-1", "broker-a-1", None),
        ("f-2", "namesrv-2", None),
    }
    assert heal.heal(CLUSTER, None, Environment(transports=hosts.transport)) == (), (
        "the second time there is nothing"
    )


def test_a_heal_that_fails_stays_armed() -> None:
    hosts = Hosts(broker_a_1="f-1")
    hosts.failing = True
    (item,) = heal.heal(CLUSTER, None, Environment(transports=hosts.transport))
    assert "it failed" in str(item.error)
    assert hosts.armed == {"broker-a-1": "f-1"}


@pytest.mark.parametrize(
    ("steps", "open_"),
    [
        ([], False),
        ([("heal-plan", "intent"), ("arm", "intent")], False),
        ([("heal-plan", "intent"), ("arm", "done"), ("inject", "intent")], True),
        ([("heal-plan", "intent"), ("arm", "done"), ("inject", "done"), ("verify", "failed")], True),
        ([("heal-plan", "intent"), ("inject", "done"), ("heal", "done"), ("healed", "failed")], True),
        ([("heal-plan", "intent"), ("inject", "done"), ("heal", "done"), ("healed", "done")], False),
    ],
)
def test_a_journal_names_what_may_be_in_force(
    tmp_path: Path, steps: list[tuple[JournalStep, JournalState]], open_: bool
) -> None:
    write(tmp_path, *steps)
    hosts = Hosts()
    found = heal.heal(CLUSTER, tmp_path, Environment(transports=hosts.transport))
    assert [item.what for item in found] == (["f-1"] if open_ else [])
    assert hosts.cured == (["broker-a-1: heal-plan"] if open_ else [])
    assert heal.heal(CLUSTER, tmp_path, Environment(transports=hosts.transport)) == (), (
        "the second time there is nothing"
    )


def test_what_is_both_armed_and_in_the_journal_is_healed_once(tmp_path: Path) -> None:
    write(tmp_path, ("heal-plan", "intent"), ("arm", "done"), ("inject", "done"))
    hosts = Hosts(broker_a_1="f-1")
    assert len(heal.heal(CLUSTER, tmp_path, Environment(transports=hosts.transport))) == 1
    assert len(hosts.cured) == 1
    assert journal.read(tmp_path)[-1].step == "healed"


def test_a_run_against_another_cluster_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ("heal-plan", "intent"), ("inject", "intent"), cluster="other")
    hosts = Hosts(broker_a_1="f-2")
    with pytest.raises(UsageError, match="against other"):
        heal.heal(CLUSTER, tmp_path, Environment(transports=hosts.transport))
    assert hosts.cured == []


def test_a_topic_that_cannot_be_deleted_is_told(tmp_path: Path) -> None:
    with Journal(tmp_path) as log:
        log.write(JournalEntry("topic", "intent", note="drill-topic"))
    (item,) = heal.heal(CLUSTER, tmp_path, Environment(transports=Hosts().transport))
    assert item.what == "drill-topic"
    assert "no NameServer of trial answers" in str(item.error)


def test_a_host_that_cannot_be_asked_is_told() -> None:
    dead = FakeTransport(lambda _: (255, ""), "far")
    with pytest.raises(OperationFailed, match="far"):
        heal.heal(CLUSTER, None, Environment(transports=lambda _: dead))

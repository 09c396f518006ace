"""The nemesis: the order of its steps, and what it does when one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.chaos.run import journal
from rmqops.chaos.run.journal import Journal, JournalEntry
from rmqops.chaos.run.nemesis import Nemesis
from rmqops.chaos.run.strike_plan import PlannedStrike
from rmqops.errors import HostUnreachable, LoginRefused, OperationFailed, PreflightFailed, RmqopsError
from rmqops.model.commands import Command
from rmqops.model.history import Event
from rmqops.transport.fake import FakeTransport
from tests.support.instances import topology

CLUSTER = topology()
WANTED = [
    PlannedStrike("kill", "master", Aim(victim, CLUSTER, faults.options("kill", {})))
    for victim in CLUSTER.groups[0].members[:2]
]
WORDS = {
    "kill -0": "requires",
    "setsid nohup": "arm",
    'kill -s "$3"': "inject",
    "is still alive": "verify",
    "rmdir": "disarm",
}


def name(command: Command) -> str:
    """Name the step that a command is."""
    if command.argv[0].endswith("start.sh"):
        return "heal"
    return next((word for mark, word in WORDS.items() if mark in str(command)), "healed")


class Trial:
    """A nemesis with a host that fails at chosen steps."""

    def __init__(self, run: Path, log: Journal) -> None:
        self.failing: set[str] = set()
        self.answers: dict[str, str] = {}
        self.seen: list[str] = []
        self.events: list[Event] = []
        self.before: Callable[[str], None] = lambda _: None
        self.waited: list[float] = []
        self.nemesis = Nemesis(
            "run-1",
            {"phase": "1", "expects": "service"},
            journal=log,
            emit=self.events.append,
            now=lambda: len(self.events) + sum(self.waited),
            transports=lambda _: FakeTransport(self.answer),
            pause=self.waited.append,
        )
        self.run = run

    def answer(self, command: Command) -> tuple[int, str]:
        step = name(command)
        self.before(step)
        self.seen.append(step)
        return (1, "no") if step in self.failing else (0, self.answers.get(step, "42"))

    def told(self) -> list[str]:
        return [f"{event.op} {event.type}" for event in self.events]

    def entries(self) -> tuple[JournalEntry, ...]:
        return journal.read(self.run)


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    with Journal(tmp_path) as log:
        yield Trial(tmp_path, log)


def strike(trial: Trial, count: int = 1) -> bool:
    trial.nemesis.prepare(WANTED[:count])
    trial.nemesis.arm(60)
    return trial.nemesis.strike()


def test_a_strike_goes_by_its_steps(trial: Trial) -> None:
    assert strike(trial)
    assert trial.nemesis.heal()
    assert trial.seen == ["requires", "arm", "inject", "verify", "heal", "healed", "disarm"]
    assert trial.told() == ["fault invoke", "fault ok", "heal invoke", "heal ok"]
    assert trial.events[0].value == {
        "target": "master",
        "instance": "broker-a-0",
        "address": "127.0.0.1:100",
        "phase": "1",
        "expects": "service",
        "with.stay": "0",
    }
    assert trial.events[0].key == "kill"


def test_every_victim_is_armed_before_the_first_is_struck(trial: Trial) -> None:
    assert strike(trial, 2)
    assert trial.seen == ["requires", "requires", "arm", "arm", "inject", "verify", "inject", "verify"]
    assert len({entry.fault for entry in trial.entries()}) == 2


def test_every_act_is_journalled_before_it_is_done(trial: Trial) -> None:
    def journalled(step: str) -> None:
        if step != "requires":
            last = trial.entries()[-1]
            assert (last.step, last.state) == (step, "intent")
            assert last.command

    trial.before = journalled
    strike(trial)
    trial.nemesis.heal()
    assert trial.entries()[0].step == "heal-plan"
    assert [entry.step for entry in trial.entries() if entry.state == "done"] == trial.seen[1:]


def test_what_cannot_be_journalled_is_not_done(tmp_path: Path) -> None:
    (tmp_path / journal.FILE).symlink_to("/dev/full")
    with Journal(tmp_path) as log:
        trial = Trial(tmp_path, log)
        with pytest.raises(OperationFailed):
            strike(trial)
    assert trial.seen == ["requires"]


def test_a_full_disk_keeps_no_fault_from_its_heal(trial: Trial, tmp_path: Path) -> None:
    strike(trial)
    with Journal(_full(tmp_path)) as full:
        trial.nemesis._journal = full
        assert trial.nemesis.heal()
    assert trial.seen[-3:] == ["heal", "healed", "disarm"]


def away(trial: Trial, step: str, errors: list[RmqopsError], seconds: float = 10) -> bool:
    """Strike with a fault that takes its host away for some seconds, during which a step meets errors."""

    def meet(reached: str) -> None:
        if reached == step and errors:
            raise errors.pop()

    trial.nemesis.prepare(WANTED[:1])
    (struck,) = trial.nemesis.strikes
    struck.plan = replace(struck.plan, away=seconds)
    trial.before = meet
    trial.nemesis.arm(60)
    return trial.nemesis.strike()


@pytest.mark.parametrize("step", ["verify", "heal", "healed", "disarm"])
def test_a_host_that_the_fault_takes_away_is_tried_again(trial: Trial, step: str) -> None:
    assert away(trial, step, [HostUnreachable("gone"), LoginRefused("booting"), OperationFailed("hangs")])
    assert trial.nemesis.heal()
    assert len(trial.waited) == 3
    assert trial.seen == ["requires", "arm", "inject", "verify", "heal", "healed", "disarm"]


def test_a_host_that_stays_away_is_given_up(trial: Trial) -> None:
    assert not away(trial, "verify", [HostUnreachable("gone")] * 100)
    assert sum(trial.waited) == 10
    assert trial.nemesis.strikes[0].error == "gone"


def test_an_injection_is_not_tried_again(trial: Trial) -> None:
    assert not away(trial, "inject", [HostUnreachable("gone")])
    assert trial.waited == []
    assert "inject" not in trial.seen


def test_a_host_that_no_fault_takes_away_is_not_tried_again(trial: Trial) -> None:
    assert not away(trial, "verify", [HostUnreachable("gone")], seconds=0)
    assert trial.waited == []


def _full(run: Path) -> Path:
    (run / "full").mkdir()
    (run / "full" / journal.FILE).symlink_to("/dev/full")
    return run / "full"


def test_an_impossible_fault_changes_nothing(trial: Trial) -> None:
    trial.failing = {"requires"}
    with pytest.raises(PreflightFailed, match="not possible"):
        trial.nemesis.prepare(WANTED)
    assert trial.nemesis.heal()
    assert trial.seen == ["requires"]


def test_nothing_is_struck_without_an_armed_heal(trial: Trial) -> None:
    trial.failing = {"arm"}
    with pytest.raises(OperationFailed, match="nothing was struck"):
        strike(trial)
    assert trial.nemesis.heal()
    assert trial.seen == ["requires", "arm", "disarm"], "what is half armed is disarmed; nothing is healed"
    assert trial.events == []


@pytest.mark.parametrize("step", ["inject", "verify"])
def test_a_fault_that_is_not_verified_is_told_and_healed_all_the_same(trial: Trial, step: str) -> None:
    trial.failing = {step}
    assert not strike(trial)
    assert trial.told() == ["fault invoke", "fault fail"]
    assert trial.events[-1].error == "no"
    assert trial.nemesis.heal()
    assert trial.seen[-3:] == ["heal", "healed", "disarm"]


@pytest.mark.parametrize("step", ["heal", "healed"])
def test_a_heal_that_fails_leaves_its_dead_man_armed_and_can_be_tried_again(trial: Trial, step: str) -> None:
    strike(trial)
    trial.failing = {step}
    assert not trial.nemesis.heal()
    assert "disarm" not in trial.seen
    assert trial.told()[-2:] == ["heal invoke", "heal fail"]
    trial.failing = set()
    assert trial.nemesis.heal()
    assert trial.seen[-1] == "disarm"
    done = len(trial.seen)
    assert trial.nemesis.heal()
    assert len(trial.seen) == done, "nothing is healed twice"


@pytest.mark.parametrize(("said", "fired"), [("armed", False), ("gone", True)])
def test_a_dead_man_that_came_first_is_noticed(trial: Trial, said: str, fired: bool) -> None:
    strike(trial)
    trial.answers["disarm"] = said
    trial.nemesis.heal()
    assert trial.nemesis.strikes[0].fired is fired

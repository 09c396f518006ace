"""A drill that is ended at each of its steps, by a signal or by an error: whatever it did is undone."""

from __future__ import annotations

import itertools
import json
import resource
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rmqops.chaos.run import heal, journal
from rmqops.chaos.run.journal import JournalEntry
from rmqops.chaos.run.runner import SIGNALS, Finished
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import HostUnreachable, OperationFailed
from rmqops.model.topology import Instance
from rmqops.remoting.codec import Frame
from rmqops.remoting.codes import RequestCode
from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster
from tests.support.scripted_drills import Trial, of

DRILL = of(("kill", "master"))
ENTRIES = [
    ("topic", "intent"),
    ("topic", "done"),
    ("heal-plan", "intent"),
    ("arm", "intent"),
    ("arm", "done"),
    ("inject", "intent"),
    ("inject", "done"),
    ("verify", "intent"),
    ("verify", "done"),
    ("heal", "intent"),
    ("heal", "done"),
    ("healed", "intent"),
    ("healed", "done"),
    ("disarm", "intent"),
    ("disarm", "done"),
]
"""Of the journal, from the first act to the last heal; ``test_course.py`` holds that these are all."""
HEALING = [entry for entry in ENTRIES if entry[0] in ("heal", "healed", "disarm")]
WORDS = ["topic", "steady load", "strike", "verified", "master of", "sends", "healing", "recovered", "load ended"]


def at(entry: tuple[str, str], act: Callable[[], object]) -> Callable[[JournalEntry], None]:
    """Return what acts once, when an entry is on disk."""
    turns = itertools.count()

    def journalled(written: JournalEntry) -> None:
        if (written.step, written.state) == entry and next(turns) == 0:
            act()

    return journalled


def check_undone(trial: Trial, finished: Finished) -> None:
    """Make sure that nothing is left, that the journal says so, and that the drill proves nothing."""
    assert trial.cluster.untouched
    assert finished.verdict in (Verdict.INCONCLUSIVE, Verdict.FAIL)
    result = json.loads((finished.run / "result.json").read_text())
    assert result["verdict"] == finished.verdict.value
    assert all(fault["healed"] for fault in result["faults"])
    steps: Sequence[str] = [entry.step for entry in trial.entries]
    if "inject" in steps:
        assert steps.index("heal-plan") < steps.index("arm") < steps.index("inject")
        assert ("healed", "done") in [(entry.step, entry.state) for entry in trial.entries]
    again = heal.heal(trial.cluster.topology, finished.run, trial.cluster.environment())
    assert again == (), "nothing is left to heal"


@pytest.mark.parametrize("entry", ENTRIES, ids="-".join)
def test_a_signal_at_any_step_heals_and_cleans_up(trial: Trial, entry: tuple[str, str]) -> None:
    number = SIGNALS[ENTRIES.index(entry) % len(SIGNALS)]
    trial.cluster.journalled = at(entry, lambda: signal.raise_signal(number))
    finished = trial.run(DRILL)
    assert (finished.interrupted, finished.exit_code) == (True, 130)
    check_undone(trial, finished)
    assert "the drill was cut short: interrupted" in finished.result.verdicts.notes
    assert trial.entries[-1].state == "failed"


@pytest.mark.parametrize("word", WORDS)
def test_a_signal_between_two_steps_heals_and_cleans_up(trial: Trial, word: str) -> None:
    trial.on_word = lambda text: signal.raise_signal(signal.SIGTERM) if text.startswith(word) else None
    finished = trial.run(DRILL)
    assert (finished.interrupted, finished.exit_code) == (True, 130)
    check_undone(trial, finished)


def test_a_second_ctrl_c_does_not_keep_a_fault_from_its_heal(trial: Trial) -> None:
    def press(entry: JournalEntry) -> None:
        if entry.step in ("inject", "heal", "healed", "disarm"):
            signal.raise_signal(signal.SIGINT)

    trial.cluster.journalled = press
    finished = trial.run(DRILL)
    assert finished.exit_code == 130
    check_undone(trial, finished)
    assert trial.said.count("interrupted: healing and cleaning up first") == 1


@pytest.mark.parametrize("entry", ENTRIES[1:9], ids="-".join)
def test_a_journal_that_cannot_be_written_ends_a_drill_and_heals(trial: Trial, entry: tuple[str, str]) -> None:
    def full() -> None:
        raise OperationFailed("journal.jsonl cannot be written: the disk is full")

    trial.cluster.journalled = at(entry, full)
    finished = trial.run(DRILL)
    assert finished.problem is not None
    assert "the disk is full" in finished.problem.message
    assert finished.exit_code == finished.verdict.exit_code
    check_undone(trial, finished)


@pytest.mark.parametrize("entry", HEALING, ids="-".join)
def test_a_full_disk_keeps_no_fault_from_its_heal(trial: Trial, entry: tuple[str, str]) -> None:
    def full() -> None:
        raise OperationFailed("the disk is full")

    trial.cluster.journalled = at(entry, full)
    assert trial.run(DRILL).problem is None
    assert trial.cluster.untouched


@pytest.mark.parametrize("step", ["requires", "arm", "inject", "verify"])
def test_a_host_that_cannot_be_reached_ends_a_drill_and_heals(trial: Trial, step: str) -> None:
    def unreachable(reached: str, instance: Instance) -> None:
        if reached == step and trial.has_said("steady load"):
            raise HostUnreachable(f"{instance.name} is gone")

    trial.cluster.before = unreachable
    finished = trial.run(DRILL)
    assert finished.problem is not None
    assert "is gone" in f"{finished.problem.message} {finished.problem.detail}"
    check_undone(trial, finished)


@pytest.mark.parametrize("word", ["topic", "steady load", "strike", "verified", "healing", "load ended"])
def test_an_error_that_is_none_of_ours_is_raised_once_everything_is_undone(trial: Trial, word: str) -> None:
    def fail(text: str) -> None:
        if text.startswith(word):
            raise ZeroDivisionError(text)

    trial.on_word = fail
    with pytest.raises(ZeroDivisionError):
        trial.run(DRILL)
    assert trial.cluster.untouched
    assert heal.heal(trial.cluster.topology, trial.directory, trial.cluster.environment()) == ()


def test_a_history_that_cannot_be_written_ends_a_drill_and_heals(trial: Trial) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(text: str) -> None:
        if text.startswith("verified"):
            size = (trial.directory / "history.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))

    trial.on_word = full
    trial.cluster.journalled = at(("heal", "intent"), lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    try:
        finished = trial.run(DRILL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert finished.problem is not None
    assert "history.jsonl cannot be written" in finished.problem.message
    assert trial.cluster.untouched


def test_a_topic_that_cannot_be_made_everywhere_is_deleted(tmp_path: Path) -> None:
    cluster = ScriptedCluster(topology(nameservers=1))
    trial = Trial(cluster, tmp_path / "runs")

    def die(instance: Instance, request: Frame) -> None:
        if request.code == RequestCode.UPDATE_AND_CREATE_TOPIC and instance.name == "broker-a-1":
            cluster.dead.add("broker-a-2")
            cluster.after(70, lambda: cluster.dead.discard("broker-a-2"))

    cluster.asked = die
    finished = trial.run(DRILL)
    assert finished.problem is not None
    assert "known everywhere: not within 60 s" in finished.problem.message
    check_undone(trial, finished)
    assert journal.read(finished.run)[-1].state == "failed"

"""Whole drills against a scripted cluster: what each phase expects, and what ends one before its time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos import drill as drills
from rmqops.chaos.drill import Drill
from rmqops.chaos.history.fault_records import faults
from rmqops.chaos.history.format import FILE as HISTORY
from rmqops.chaos.history.lines import events
from rmqops.chaos.run import journal, runner
from rmqops.chaos.run.runner import Finished
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import HealFailed, Inconclusive, OperationFailed, PreflightFailed
from rmqops.model.topology import Instance
from rmqops.operations.change.lock import Lock
from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster
from tests.support.scripted_drills import Trial, of, short

MASTER = ("kill", "master")
STEPS = ("arm", "inject", "verify", "heal", "healed", "disarm")
WORDS = (
    "steady state", "run ", "topic ", "steady load", "client ", "strike: ", "verified",
    "master of broker-a is broker-a-1", "sends are sustained", "healing", "healed and disarmed", "recovered",
    "load ended", "read back",
)  # fmt: skip
"""How each step begins that a drill tells."""


def findings(finished: Finished) -> dict[str, str]:
    """Return what did not pass."""
    results = finished.result.verdicts.results
    return {check.name: check.summary for check in results if check.verdict is not Verdict.PASS}


def test_a_drill_that_passes_does_each_thing_in_its_order_and_leaves_nothing(tmp_path: Path) -> None:
    trial = Trial(ScriptedCluster(topology()), tmp_path / "runs")
    finished = trial.run(short(drills.find("kill-master")))
    assert (findings(finished), finished.verdict, finished.exit_code) == ({}, Verdict.PASS, 0)
    assert finished.problem is None
    steps = [(entry.step, entry.state) for entry in trial.entries]
    assert steps == [
        ("run", "intent"),
        ("topic", "intent"),
        ("topic", "done"),
        ("heal-plan", "intent"),
        *[(step, state) for step in STEPS for state in ("intent", "done")],
        ("untopic", "done"),
        ("run", "done"),
    ]  # fmt: skip
    assert [text for text, word in zip(trial.said, WORDS, strict=True) if not text.startswith(word)] == []
    assert trial.cluster.untouched
    files = {"drill.yml", "history.jsonl", "journal.jsonl", "result.json", "report.html", "junit.xml"}
    assert {path.name for path in finished.run.iterdir()} == files
    result = json.loads((finished.run / "result.json").read_text())
    assert result["faults"][0]["verified"] is result["faults"][0]["healed"] is True
    assert drills.find(str(finished.run / journal.DRILL)) == short(drills.find("kill-master"))


def test_a_heal_is_armed_on_each_host_before_the_first_fault(trial: Trial) -> None:
    def armed_first(step: str, instance: Instance) -> None:
        if step == "inject":
            armed = {victim.name for victim in trial.cluster.armed.values()}
            assert armed == {"broker-a-0", "namesrv-1"}
            done = [entry.instance for entry in trial.entries if (entry.step, entry.state) == ("arm", "done")]
            assert set(done) == armed
            assert instance.name in armed

    trial.cluster.before = armed_first
    drill = of(MASTER, ("kill", "namesrv"), expects="anything", allows=["last-nameserver"])
    finished = trial.run(drill)
    assert finished.problem is None
    assert [step for step, _ in trial.cluster.commands].count("inject") == 2


def test_a_drill_that_has_lost_the_clusters_lock_strikes_nobody(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: Lock) -> None:
        raise OperationFailed("the lock of cluster trial was broken")

    monkeypatch.setattr(Lock, "check", lost)
    finished = trial.run(of(MASTER))
    assert "was broken" in str(finished.problem)
    assert {"arm", "inject"}.isdisjoint(step for step, _ in trial.cluster.commands)
    assert trial.cluster.untouched


def test_the_topic_stays_where_that_was_asked_for(trial: Trial) -> None:
    request = replace(trial.request(of(MASTER)), keep_topic=True)
    assert runner.run(request, trial.say, trial.cluster.environment()).exit_code == 0
    assert {"untopic"}.isdisjoint(entry.step for entry in trial.entries)
    assert all(trial.cluster.topics.values())


def test_phases_come_one_after_the_other(trial: Trial) -> None:
    drill = of(MASTER).changed(
        phases=[{"strikes": [{"fault": "kill", "target": target}]} for target in ("slave", "master")]
    )
    finished = trial.run(drill)
    assert findings(finished) == {}
    assert trial.has_said("phase 2 of 2")
    records = faults(events(finished.run / HISTORY))
    assert [(record.phase, record.target, record.healed) for record in records] == [
        (1, "slave", True),
        (2, "master", True),
    ]
    assert len({entry.fault for entry in trial.entries if entry.step == "inject"}) == 2


def test_a_standstill_is_what_a_group_without_its_majority_comes_to(trial: Trial) -> None:
    drill = of(("kill", "majority"), expects="standstill", allows=["majority"], times={"hold": 5})
    finished = trial.run(drill)
    assert findings(finished) == {}
    assert trial.has_said("nothing is acknowledged any more")


def test_a_standstill_that_does_not_come_is_waited_for_and_fails(trial: Trial) -> None:
    finished = trial.run(of(("kill", "slave"), expects="standstill", times={"fail_over": 6, "hold": 5}))
    assert trial.has_said("a standstill: not within 6 s; last seen: sends are acknowledged still")
    assert finished.verdict is Verdict.FAIL
    assert trial.cluster.untouched


def test_a_fail_over_that_does_not_come_ends_before_the_dead_mans_heal(trial: Trial) -> None:
    """The bound of a phase is not its own alone: what is armed must not come first."""
    trial.cluster.before = lambda step, _: trial.cluster.dead.add("broker-a-1") if step == "verify" else None
    drill = of(MASTER, times={"fail_over": 100, "hold": 2, "deadline": 20})
    healed_at: list[float] = []
    start = trial.cluster.start

    def note(instance: Instance) -> None:
        healed_at.append(trial.cluster.clock())
        trial.cluster.dead.discard("broker-a-1")
        start(instance)

    trial.cluster.start = note  # type: ignore[method-assign]
    armed_at: list[float] = []
    trial.cluster.journalled = lambda entry: (
        armed_at.append(trial.cluster.clock()) if (entry.step, entry.state) == ("arm", "done") else None
    )
    finished = trial.run(drill)
    assert trial.has_said("sends sustained again: not within 13 s")
    assert 14 < healed_at[0] - armed_at[0] < 20
    assert finished.verdict is Verdict.FAIL
    assert trial.cluster.untouched


def test_living_members_are_read_and_offered_a_message_while_their_master_is_dead(tmp_path: Path) -> None:
    cluster = ScriptedCluster(topology(groups=2, members=2, nameservers=1, mode="master-slave"))
    trial = Trial(cluster, tmp_path / "runs")
    finished = trial.run(of(MASTER, expects="reads"))
    assert finished.problem is None
    victim = next(name for step, name in cluster.commands if step == "inject")
    slave = victim.replace("-0", "-1")
    history = list(events(finished.run / HISTORY))
    reads = [event for event in history if event.process == f"reader-1-{slave}"]
    assert {event.type for event in reads} == {"invoke", "ok"}
    assert {json.dumps(dict(event.value or {})) for event in reads if event.type == "invoke"} == {
        '{"role": "SYNC_MASTER"}'
    }
    (offer,) = [event for event in history if event.op == "probe"]
    assert (offer.process, offer.type, offer.error) == (f"writer-1-{slave}", "fail", "the broker is not master")
    assert trial.has_said(f"offered a message to {slave}")
    assert cluster.untouched


def test_processes_of_the_load_die_and_new_lives_take_their_places(tmp_path: Path) -> None:
    trial = Trial(ScriptedCluster(topology(nameservers=1)), tmp_path / "runs")
    drill = of(("kill", "producer"), ("kill", "consumer"))
    finished = trial.run(drill)
    assert findings(finished) == {}
    names = [process.settings.name for process in trial.cluster.started]
    assert len(names) == 5
    assert [name for name in names if name.endswith("-2") and name.count("-") == 2]
    assert trial.cluster.untouched


@pytest.mark.parametrize("step", ["inject", "verify"])
def test_a_fault_that_is_not_verified_proves_nothing_and_is_healed(trial: Trial, step: str) -> None:
    trial.cluster.failing = {step}
    finished = trial.run(of(MASTER))
    assert isinstance(finished.problem, Inconclusive)
    assert finished.problem.message == f"the fault did not bite: kill: {step} failed"
    assert (finished.verdict, finished.exit_code) == (Verdict.INCONCLUSIVE, 6)
    assert trial.cluster.untouched


@pytest.mark.parametrize("step", ["heal", "healed", "disarm"])
def test_a_heal_that_fails_is_the_word_for_the_drill_and_stays_armed(trial: Trial, step: str) -> None:
    trial.cluster.failing = {step}
    finished = trial.run(of(MASTER))
    assert isinstance(finished.problem, HealFailed)
    assert f"broker-a-0: kill: {step} failed" in str(finished.problem.detail)
    assert (finished.verdict, finished.exit_code) == (Verdict.HEAL_FAILED, 7)
    assert list(trial.cluster.armed) == [f"{finished.run.name}-1-1"]
    assert all(process.returncode is not None for process in trial.cluster.started)


def test_a_heal_that_failed_in_its_phase_is_tried_once_more_on_the_way_out(trial: Trial) -> None:
    trial.cluster.failing = {"heal"}
    trial.cluster.journalled = lambda entry: (
        trial.cluster.failing.clear() if (entry.step, entry.state) == ("heal", "failed") else None
    )
    finished = trial.run(of(MASTER))
    assert isinstance(finished.problem, HealFailed)
    assert [entry.state for entry in trial.entries if entry.step == "healed"] == ["intent", "done"]
    assert trial.cluster.untouched


def test_who_cannot_be_armed_is_not_struck(trial: Trial) -> None:
    trial.cluster.failing = {"arm"}
    finished = trial.run(of(MASTER))
    assert isinstance(finished.problem, OperationFailed)
    assert "nothing was struck" in finished.problem.message
    assert "inject" not in {step for step, _ in trial.cluster.commands}
    assert trial.cluster.untouched


def test_a_fault_that_has_become_impossible_is_not_put_in_force(trial: Trial) -> None:
    trial.on_word = lambda text: trial.cluster.failing.add("requires") if text.startswith("steady load") else None
    finished = trial.run(of(MASTER))
    assert isinstance(finished.problem, PreflightFailed)
    assert "nothing was struck" in finished.problem.message
    assert {"arm", "inject"}.isdisjoint(step for step, _ in trial.cluster.commands)
    assert trial.cluster.untouched


def test_a_cluster_that_falls_ill_before_the_strike_is_not_struck(trial: Trial) -> None:
    def fall_ill(text: str) -> None:
        if text.startswith("client"):
            trial.cluster.dead.add("broker-a-2")

    trial.on_word = fall_ill
    finished = trial.run(of(MASTER))
    assert isinstance(finished.problem, Inconclusive)
    assert "fell ill before the strike; nothing was struck" in finished.problem.message
    assert "broker-a-2" in str(finished.problem.detail)
    assert "inject" not in {step for step, _ in trial.cluster.commands}


def silent_consumer(trial: Trial) -> None:
    trial.cluster.deaf.add("consumer-1")


def refused_producer(trial: Trial) -> None:
    trial.cluster.refusing = lambda name: "busy" if name == "producer-2" else None


@pytest.mark.parametrize(
    ("script", "why"),
    [(silent_consumer, "consumer-1 received nothing"), (refused_producer, "producer-2: 0 acknowledged")],
)
def test_a_load_that_does_not_flow_strikes_nobody(trial: Trial, script: Callable[[Trial], None], why: str) -> None:
    script(trial)
    finished = trial.run(of(MASTER))
    assert isinstance(finished.problem, Inconclusive)
    assert why in finished.problem.message
    assert "nothing was struck" in finished.problem.message
    assert "arm" not in {step for step, _ in trial.cluster.commands}
    assert trial.cluster.untouched


def test_a_load_that_stumbles_while_heals_are_armed_strikes_nobody(trial: Trial) -> None:
    def stumble(step: str, _instance: Instance) -> None:
        if step == "arm":
            trial.cluster.clock.advance(3)
            trial.cluster.refusing = lambda _: "busy"

    trial.cluster.before = stumble
    finished = trial.run(of(MASTER))
    assert isinstance(finished.problem, Inconclusive)
    assert "a load that is steady at the strike" in finished.problem.message
    assert "inject" not in {step for step, _ in trial.cluster.commands}
    assert trial.cluster.untouched


def spend(trial: Trial) -> None:
    trial.cluster.refusing = lambda _: "busy"


def fall_silent(trial: Trial) -> None:
    trial.cluster.deaf |= {"producer-1", "producer-2"}


def lose_the_other(trial: Trial) -> None:
    trial.cluster.masters["broker-b" if trial.cluster.masters["broker-a"] is None else "broker-a"] = None


def lose_a_process(trial: Trial) -> None:
    trial.cluster.started[-1].end(3)


@pytest.mark.parametrize(
    ("script", "abort", "why"),
    [
        (spend, {"failed": 5}, "the error budget is spent: 6 sends went wrong"),
        (fall_silent, {"outage": 3}, "the error budget is spent: no acknowledgement for 3"),
        (lose_the_other, {}, "which was not struck, has had no master for 2 s"),
        (lose_a_process, {}, "producer-2 ended with 3 in the middle of the run"),
    ],
)
def test_a_bound_that_is_passed_ends_the_drill_and_heals(
    tmp_path: Path, script: Callable[[Trial], None], abort: dict[str, int], why: str
) -> None:
    trial = Trial(ScriptedCluster(topology(groups=2, nameservers=1)), tmp_path / "runs")

    def strike(step: str, _instance: Instance) -> None:
        if step == "verify":
            script(trial)

    trial.cluster.before = strike
    finished = trial.run(of(MASTER, abort=abort))
    assert isinstance(finished.problem, Inconclusive)
    assert why in finished.problem.message
    assert finished.verdict is not Verdict.PASS
    assert trial.cluster.untouched


def test_a_cluster_that_does_not_recover_is_told_and_judged(trial: Trial) -> None:
    def stay_ill(text: str) -> None:
        if text.startswith("healed"):
            trial.cluster.dead.add("broker-a-2")

    trial.on_word = stay_ill
    finished = trial.run(of(MASTER, times={"recover": 3}))
    assert trial.has_said("full recovery: not within 3 s; last seen: broker broker-a-2 does not answer")
    assert finished.verdict is not Verdict.PASS
    assert "recovery" in findings(finished)


def test_a_topic_that_cannot_be_deleted_is_told_and_left_to_heal(trial: Trial) -> None:
    def no_nameserver(text: str) -> None:
        if text.startswith("read back"):
            trial.cluster.dead.add("namesrv-1")

    trial.on_word = no_nameserver
    finished = trial.run(of(MASTER))
    assert isinstance(finished.problem, OperationFailed)
    assert "could not be deleted: no NameServer of trial answers" in finished.problem.message
    assert [entry.state for entry in trial.entries if entry.step == "untopic"] == ["failed"]
    assert finished.verdict is not Verdict.PASS


def test_a_member_whose_log_cannot_be_read_is_on_record(trial: Trial) -> None:
    trial.cluster.failing = {"leaders"}
    finished = trial.run(of(MASTER))
    assert set(findings(finished)) == {"leaders"}
    assert finished.verdict is Verdict.INCONCLUSIVE


def drill_twice(drill: Drill) -> Drill:
    return drill.changed(schedule={"rounds": 2, "pause": [2, 2]})


def test_rounds_of_a_schedule_wait_between_one_another(trial: Trial) -> None:
    strikes: list[float] = []
    trial.cluster.journalled = lambda entry: (
        strikes.append(trial.cluster.clock()) if (entry.step, entry.state) == ("inject", "intent") else None
    )
    finished = trial.run(drill_twice(of(("kill", "slave"))))
    assert finished.exit_code == 0
    assert len(strikes) == 2
    assert strikes[1] - strikes[0] > 2
    assert [entry.fault for entry in journal.read(finished.run) if entry.step == "heal-plan"] == [
        f"{finished.run.name}-1-1", f"{finished.run.name}-2-1"
    ]  # fmt: skip

"""Suites: claims, each with a drill that ships."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from rmqops.chaos import drill
from rmqops.chaos.drill import Drill
from rmqops.chaos.report import words
from rmqops.chaos.report.result_reading import read_result
from rmqops.chaos.run.context import Request
from rmqops.chaos.suite import model, perform
from rmqops.chaos.suite.model import Claim, ClaimOutcome
from rmqops.chaos.verdicts import checks
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import Unsafe, UsageError
from rmqops.model.topology import Instance, Topology
from rmqops.operations.observe import health
from rmqops.remoting.codec import Frame
from tests.support.drill import result
from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster, environment
from tests.support.scripted_drills import short

ROW = Claim(row="S1", claim="it goes on", drill="kill-namesrvs")


@pytest.mark.parametrize("name", model.names())
def test_every_claim_has_a_drill_that_ships(name: str) -> None:
    found = model.find(name)
    assert found.name == name
    assert {row.drill for row in found.rows} <= set(drill.names())
    assert {row.check for row in found.rows if row.check} <= set(checks.discover())


def test_a_suite_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError) as caught:
        model.find("none")
    assert "notes" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([Verdict.PASS, None], 0),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], 6),
        ([Verdict.HEAL_FAILED, Verdict.INCONCLUSIVE], 7),
        ([Verdict.HEAL_FAILED, Verdict.FAIL], 1),
        ([None], 4),
        ([], 4),
    ],
)
def test_the_worst_verdict_is_the_suites(words: list[Verdict | None], code: int) -> None:
    assert model.exit_code(ClaimOutcome(ROW, word, "") for word in words) == code


@pytest.mark.parametrize(("word", "code"), [(Verdict.INCONCLUSIVE, 130), (Verdict.HEAL_FAILED, 7)])
def test_a_suite_that_was_ended_says_so_unless_a_fault_may_be_in_force(word: Verdict, code: int) -> None:
    assert model.exit_code([ClaimOutcome(ROW, word, "", interrupted=True)]) == code


class Trial:
    """A suite against scripted clusters, its drills short."""

    def __init__(self, runs: Path, *topologies: Topology) -> None:
        self.clusters = [ScriptedCluster(topology) for topology in topologies]
        self.said: list[str] = []
        self._runs = runs

    def perform(self, rows: Sequence[Claim]) -> list[ClaimOutcome]:
        """Perform a suite of some rows."""
        suite = model.Suite(name="mine", description="mine", rows=tuple(rows))
        requests = [partial(self._request, cluster.topology) for cluster in self.clusters]
        return list(perform.perform(suite, requests, self.said.append, environment(*self.clusters)))

    def _request(self, topology: Topology, found: Drill) -> Request:
        return Request(topology, short(found), self._runs, seed=1)

    @property
    def ran(self) -> list[tuple[str, str | None]]:
        """Which drill ran on which release, in the order of the runs."""
        results = [read_result(run) for run in self._runs.iterdir()]
        return [(result.drill, result.version) for result in sorted(results, key=lambda result: result.started)]


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path / "state"))


def test_ctrl_c_between_two_drills_keeps_what_came_before(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "runs", topology(nameservers=1))
    (cluster,) = trial.clusters

    def press(_instance: Instance, _request: Frame) -> None:
        if trial.said[-1] == "S1: about kill-master":
            signal.raise_signal(signal.SIGINT)

    cluster.asked = press
    outcomes = trial.perform([_row("kill-slave"), _row("kill-master"), _row("kill-all-namesrvs")])
    tried = [outcome for outcome in outcomes if outcome.run or outcome.interrupted]
    assert [outcome.verdict for outcome in tried] == [Verdict.PASS, None]
    assert len(outcomes) == 2
    assert trial.ran == [("kill-slave", "4.5.2")]
    assert model.exit_code(outcomes) == 130


def test_ctrl_c_in_a_drill_ends_the_suite_with_it(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "runs", topology(nameservers=1))
    trial.clusters[0].journalled = lambda entry: (
        signal.raise_signal(signal.SIGINT) if (entry.step, entry.state) == ("verify", "done") else None
    )
    outcomes = trial.perform([_row("kill-slave"), _row("kill-master")])
    assert [(outcome.row.drill, outcome.interrupted) for outcome in outcomes] == [("kill-slave", True)]
    assert model.exit_code(outcomes) == 130
    assert trial.clusters[0].untouched


def _row(drill_name: str, release: str | None = None) -> Claim:
    return Claim(row="S1", claim=f"about {drill_name}", drill=drill_name, release=release)


def _two(**changes: object) -> Topology:
    """Return another cluster than ``topology()``."""
    return replace(topology(groups=2, nameservers=1, ports=1000), inventory="two.yml", **changes)  # type: ignore[arg-type]


def test_each_claim_is_shown_on_the_first_cluster_that_can_show_it(tmp_path: Path) -> None:
    one, two = topology(nameservers=1), _two(version="4.5.1")
    trial = Trial(tmp_path / "runs", one, two)
    rows = [_row("kill-master"), _row("even-shares"), _row("kill-slave", "4.5.1"), _row("kill-slave", "4.4.0")]
    outcomes = trial.perform(rows)
    assert trial.ran == [("kill-master", "4.5.2"), ("even-shares", "4.5.1"), ("kill-slave", "4.5.1")]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.PASS] * 3 + [None]
    assert outcomes[-1].measured.count("the claim is about 4.4.0") == 2
    assert outcomes[0].document()["cluster"] == one.cluster


def test_a_drill_that_shows_two_claims_is_run_once(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "runs", topology())
    outcomes = trial.perform([_row("kill-slave"), ROW, _row("kill-slave")])
    assert [name for name, _ in trial.ran] == ["kill-slave", "kill-namesrvs"]
    assert [(outcome.row.claim, outcome.verdict) for outcome in outcomes] == [
        ("about kill-slave", Verdict.PASS), ("it goes on", Verdict.PASS), ("about kill-slave", Verdict.PASS),
    ]  # fmt: skip


def test_a_cluster_on_which_a_run_would_refuse_is_not_chosen(tmp_path: Path) -> None:
    crowd = tmp_path / "crowd.yml"
    many = drill.find("kill-slave").changed(load={"driver": "java", "consumers": 5})
    crowd.write_text(many.yaml())
    trial = Trial(tmp_path / "runs", topology(nameservers=1))
    (outcome,) = trial.perform([_row(str(crowd))])
    assert outcome.verdict is None
    assert "5 consumers of one group share the 4 queues" in outcome.measured
    assert trial.clusters[0].commands == []
    assert model.exit_code([outcome]) == 4


def test_a_cluster_where_a_fault_is_not_possible_is_passed_over(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "runs", topology(nameservers=1), _two(version="4.5.1"))
    trial.clusters[0].failing = {"requires"}
    (outcome,) = trial.perform([_row("kill-slave")])
    assert outcome.verdict is Verdict.PASS
    assert trial.ran == [("kill-slave", "4.5.1")]


def test_a_cluster_that_stays_ill_is_waited_for_and_proves_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "runs", topology(nameservers=1))
    trial.clusters[0].dead.add("broker-a-2")
    began = trial.clusters[0].clock()
    (outcome,) = trial.perform([_row("kill-slave")])
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "is not healthy" in outcome.measured
    assert trial.clusters[0].clock() > began + health.DEADLINE


def test_a_claim_is_told_by_its_check_where_the_drill_passed() -> None:
    shown = Claim(row="S1", claim="it goes on", drill="kill-namesrvs", check="availability")
    assert perform._finding(shown, result(Verdict.PASS, text="so it is")) == "So it is 0."
    failed = result(Verdict.FAIL)
    assert perform._finding(shown, failed) == perform._finding(ROW, failed) == words.reason(failed)


def test_what_the_guard_refuses_everywhere_is_refused(tmp_path: Path) -> None:
    unsafe = replace(topology(nameservers=1), drillable=False)
    trial = Trial(tmp_path / "runs", unsafe)
    with pytest.raises(Unsafe):
        trial.perform([_row("kill-slave")])
    trial = Trial(tmp_path / "runs", unsafe, _two())
    trial.perform([_row("kill-slave")])
    assert len(trial.ran) == 1
    assert trial.clusters[0].commands == []


def test_a_claim_that_was_not_tried_has_no_verdict() -> None:
    assert ClaimOutcome(ROW, None, "no iptables").document()["verdict"] is None

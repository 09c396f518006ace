"""Suites: claims, each with a drill that ships."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from rmqops.chaos import drill
from rmqops.chaos.report import words
from rmqops.chaos.run import preflight, runner
from rmqops.chaos.suite import model, perform
from rmqops.chaos.suite.model import Claim, ClaimOutcome
from rmqops.chaos.verdicts import checks
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import Unsafe, UsageError
from rmqops.model.topology import Topology
from rmqops.operations.observe import health
from rmqops.transport.fake import FakeTransport
from tests.support.drill import result
from tests.support.instances import topology

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


def test_ctrl_c_between_two_drills_keeps_what_came_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    passed = runner.Finished(tmp_path, result(Verdict.PASS), None)
    waits = iter([None, KeyboardInterrupt()])

    def wait(_topology: object) -> None:
        if wrong := next(waits):
            raise wrong

    monkeypatch.setattr(preflight, "permit", lambda *_: None)
    monkeypatch.setattr(preflight, "possible", lambda *_: None)
    monkeypatch.setattr(preflight, "addresses", lambda *_: ())
    monkeypatch.setattr(health, "wait", wait)
    monkeypatch.setattr(runner, "run", lambda *_: passed)
    outcomes = list(
        perform.perform(
            model.find("notes"), [lambda one: runner.Request(topology(), one, tmp_path, 1)], lambda _: None
        )
    )
    tried = [outcome for outcome in outcomes if outcome.run or outcome.interrupted]
    assert [outcome.verdict for outcome in tried] == [Verdict.PASS, None]
    assert model.exit_code(outcomes) == 130


def _shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows: list[Claim], clusters: list[Topology]
) -> tuple[list[ClaimOutcome], list[tuple[str, str]]]:
    """Perform a suite without striking anybody; return what came of it, and which drill ran on which version."""
    ran = []

    def run(wanted: runner.Request, *_: object) -> runner.Finished:
        ran.append((wanted.drill.name, wanted.topology.version))
        return runner.Finished(tmp_path, result(Verdict.PASS), None)

    monkeypatch.setattr(health, "wait", lambda _: None)
    monkeypatch.setattr(runner, "run", run)
    wanted = [partial(runner.Request, one, runs=tmp_path, seed=1) for one in clusters]
    found = model.Suite(name="mine", description="mine", rows=tuple(rows))
    nobody = FakeTransport(lambda _: (0, ""))
    return list(perform.perform(found, wanted, lambda _: None, lambda _: nobody)), ran


def _row(drill_name: str, release: str | None = None) -> Claim:
    return Claim(row="S1", claim=f"about {drill_name}", drill=drill_name, release=release)


def test_each_claim_is_shown_on_the_first_cluster_that_can_show_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one, two = topology(), replace(topology(groups=2), version="4.5.1", inventory="two.yml")
    rows = [_row("kill-master"), _row("even-shares"), _row("kill-slave", "4.5.1"), _row("kill-slave", "4.4.0")]
    outcomes, ran = _shown(monkeypatch, tmp_path, rows, [one, two])
    assert ran == [("kill-master", "4.5.2"), ("even-shares", "4.5.1"), ("kill-slave", "4.5.1")]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.PASS] * 3 + [None]
    assert outcomes[-1].measured.count("the claim is about 4.4.0") == 2
    assert outcomes[0].document()["cluster"] == one.cluster


def test_a_drill_that_shows_two_claims_is_run_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outcomes, ran = _shown(monkeypatch, tmp_path, [_row("kill-slave"), ROW, _row("kill-slave")], [topology()])
    assert [name for name, _ in ran] == ["kill-slave", "kill-namesrvs"]
    assert [(outcome.row.claim, outcome.verdict) for outcome in outcomes] == [
        ("about kill-slave", Verdict.PASS), ("it goes on", Verdict.PASS), ("about kill-slave", Verdict.PASS),
    ]  # fmt: skip


def test_a_claim_is_told_by_its_check_where_the_drill_passed() -> None:
    shown = Claim(row="S1", claim="it goes on", drill="kill-namesrvs", check="availability")
    assert perform._seen(shown, result(Verdict.PASS, text="so it is")) == "So it is 0."
    failed = result(Verdict.FAIL)
    assert perform._seen(shown, failed) == perform._seen(ROW, failed) == words.reason(failed)


def test_what_the_guard_refuses_everywhere_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    safe, unsafe = topology(), replace(topology(), drillable=False)
    with pytest.raises(Unsafe):
        _shown(monkeypatch, tmp_path, [_row("kill-slave")], [unsafe])
    _, ran = _shown(monkeypatch, tmp_path, [_row("kill-slave")], [unsafe, safe])
    assert len(ran) == 1


def test_a_claim_that_was_not_tried_has_no_verdict() -> None:
    assert ClaimOutcome(ROW, None, "no iptables").document()["verdict"] is None

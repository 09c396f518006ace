"""Suites: claims, each with a drill that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.chaos import drill, preflight, runner, showing, suite
from rmqops.chaos.suite import Outcome, Row
from rmqops.chaos.verdict import Verdict
from rmqops.errors import UsageError
from rmqops.operations import health
from tests.support.drill import result
from tests.support.instances import topology

ROW = Row(row="S1", claim="it goes on", drill="kill-namesrvs")


@pytest.mark.parametrize("name", suite.names())
def test_every_claim_has_a_drill_that_ships(name: str) -> None:
    found = suite.find(name)
    assert found.name == name
    assert {row.drill for row in found.rows} <= set(drill.names())


def test_a_suite_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError) as caught:
        suite.find("none")
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
    assert suite.exit_code(Outcome(ROW, word, "") for word in words) == code


@pytest.mark.parametrize(("word", "code"), [(Verdict.INCONCLUSIVE, 130), (Verdict.HEAL_FAILED, 7)])
def test_a_suite_that_was_ended_says_so_unless_a_fault_may_be_in_force(word: Verdict, code: int) -> None:
    assert suite.exit_code([Outcome(ROW, word, "", interrupted=True)]) == code


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
        showing.perform(
            suite.find("notes"), lambda one: runner.Request(topology(), one, tmp_path, 1), lambda _: None
        )
    )
    assert [outcome.verdict for outcome in outcomes] == [Verdict.PASS, None]
    assert suite.exit_code(outcomes) == 130


def test_a_claim_that_was_not_tried_has_no_verdict() -> None:
    assert Outcome(ROW, None, "no iptables").document()["verdict"] is None

"""The words of a drill, result.json, and what disagrees with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.report.result import FILE, Result, disagreements, write_result
from rmqops.chaos.report.result_reading import read_result
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict, overall
from rmqops.errors import OperationFailed, UsageError
from tests.unit.chaos.verdicts.checks.recorded import good, write
from tests.unit.chaos.verdicts.checks.test_mutations import fail_the_heal, lose_everywhere

PASS, FAIL, INCONCLUSIVE, HEAL_FAILED = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.HEAL_FAILED


@pytest.mark.parametrize(
    ("words", "heal_failed", "expected"),
    [
        ([PASS, PASS], False, PASS),
        ([PASS, INCONCLUSIVE], False, INCONCLUSIVE),
        ([FAIL, INCONCLUSIVE, PASS], False, FAIL),
        ([], False, INCONCLUSIVE),
        ([PASS], True, HEAL_FAILED),
        ([INCONCLUSIVE], True, HEAL_FAILED),
        ([FAIL], True, FAIL),
    ],
)
def test_fail_outranks_heal_failed_outranks_inconclusive(
    words: list[Verdict], heal_failed: bool, expected: Verdict
) -> None:
    results = [CheckResult(str(number), word, "") for number, word in enumerate(words)]

    assert overall(results, heal_failed=heal_failed) is expected


def test_the_exit_codes_are_those_of_the_contract() -> None:
    assert {word.value: word.exit_code for word in Verdict} == {
        "pass": 0, "fail": 1, "inconclusive": 6, "heal-failed": 7,
    }  # fmt: skip


def test_a_heal_that_failed_is_told_beside_a_fail(tmp_path: Path) -> None:
    events = lose_everywhere(tuple(fail_the_heal(good())))

    verdicts = evaluate(write(events, tmp_path))

    assert (verdicts.overall, verdicts.heal_failed) == (FAIL, True)
    assert [fault.healed for fault in verdicts.faults] == [False]


def _result(directory: Path) -> Result:
    verdicts = evaluate(write(lose_everywhere(good()), directory))
    return Result("kill-master", "local", 7, "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", verdicts,
                  Bounds().document(), "4.5.2")  # fmt: skip


def test_a_result_comes_back_as_it_was_written(tmp_path: Path) -> None:
    result = _result(tmp_path)

    write_result(tmp_path, result)

    assert read_result(tmp_path) == result
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["history.jsonl", FILE]


def test_a_result_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    document = _result(tmp_path).document()

    assert {
        "drill", "inventory", "seed", "verdict", "checks", "faults", "acknowledged", "refused", "indeterminate",
        "lost", "recovered", "duplicated", "unexpected", "rto_ms", "started", "ended",
    } <= document.keys()  # fmt: skip
    assert document["verdict"] == "fail"
    assert document["lost"] == 1
    faults = document["faults"]
    assert isinstance(faults, list)
    names = ("kind", "target", "injected", "verified", "healed")
    assert [faults[0][name] for name in names] == ["kill", "master", True, True, True]


def test_a_result_that_is_missing_or_broken_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_result(tmp_path)
    (tmp_path / FILE).write_text('{"drill": 1}')
    with pytest.raises(OperationFailed, match="is not the result of a drill"):
        read_result(tmp_path)


def test_a_disagreement_names_what_differs(tmp_path: Path) -> None:
    computed = _result(tmp_path).verdicts
    forged = replace(computed, overall=PASS, counts=replace(computed.counts, lost=0))

    assert disagreements(computed, computed) == ()
    assert disagreements(forged, computed) == (
        "verdict: recorded pass, the history says fail",
        "lost: recorded 0, the history says 1",
    )


def test_a_check_that_a_later_release_has_added_agrees_where_it_passes(tmp_path: Path) -> None:
    recorded = _result(tmp_path).verdicts
    new = {word: CheckResult("new", word, "") for word in Verdict}
    added = {word: replace(recorded, results=(*recorded.results, each)) for word, each in new.items()}

    assert disagreements(recorded, added[PASS]) == ()
    assert disagreements(recorded, added[Verdict.FAIL]) == ("check new: recorded nothing, the history says fail",)
    assert disagreements(added[PASS], recorded) == ("check new: recorded pass, the history says nothing",)


def test_settings_come_back_and_a_wrong_one_is_named() -> None:
    assert Bounds.parse(Bounds(sustained=3).document()) == Bounds(sustained=3)
    with pytest.raises(UsageError, match="no setting patience"):
        Bounds.parse({"patience": 3})
    with pytest.raises(UsageError, match="no setting sustained = True"):
        Bounds.parse({"sustained": True})

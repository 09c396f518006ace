"""What a drill expects while its fault is in force: service before the heal, or a standstill until then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.history.format import RECOVERED
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event
from tests.support import drill
from tests.unit.chaos.verdicts.checks.recorded import write

BEFORE_THE_HEAL, AFTER_THE_HEAL = drill.HEALED - 1 - 5.5, drill.HEALED + 0.5
"""When sends work again: so long before the heal begins that it is sustained by then, or after it."""
SERVICE, STANDSTILL = "service", "standstill"


def judged(events: Sequence[Event], directory: Path) -> CheckResult:
    verdicts = evaluate(write(events, directory), Bounds(standstill=2.0))
    return next(result for result in verdicts.results if result.name == "service")


@pytest.mark.parametrize(
    ("served_again", "expects", "expected"),
    [
        (BEFORE_THE_HEAL, SERVICE, Verdict.PASS),
        (AFTER_THE_HEAL, SERVICE, Verdict.FAIL),
        (AFTER_THE_HEAL, STANDSTILL, Verdict.PASS),
        (BEFORE_THE_HEAL, STANDSTILL, Verdict.FAIL),
    ],
)
def test_service_and_standstill_are_each_the_others_failure(
    served_again: float, expects: str, expected: Verdict, tmp_path: Path
) -> None:
    found = judged(drill.history(expects=expects, new_master=served_again, end=30.0), tmp_path)
    assert found.verdict is expected, found.summary


def test_one_acknowledgement_without_a_majority_is_told(tmp_path: Path) -> None:
    events = drill.history(expects=STANDSTILL, new_master=AFTER_THE_HEAL)
    last = next(event for event in events if event.type == "fail" and event.t > drill.HEALED - 1.5)
    forged = Event(last.t, last.process, "send", "ok", last.topic, last.broker, last.queue, offset=7, key=last.key)
    found = judged([forged if event is last else event for event in events], tmp_path)
    assert (found.verdict, found.evidence[0].key) == (Verdict.FAIL, last.key)


def test_nobody_asked_for_service_so_nothing_is_known_of_it(
    tmp_path: Path,
) -> None:
    standstill = drill.history(expects=STANDSTILL)
    events = [event for event in standstill if not (event.op == "send" and event.t > drill.FAULT)]
    assert judged(events, tmp_path).verdict is Verdict.INCONCLUSIVE


def test_a_drill_that_was_ended_early_proves_neither(tmp_path: Path) -> None:
    events = [event for event in drill.history(new_master=AFTER_THE_HEAL) if event.key != RECOVERED]
    assert judged(events, tmp_path).verdict is Verdict.INCONCLUSIVE


def test_each_phase_is_judged_by_what_it_expects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first serves again before its heal, the second, a standstill, is served all the time."""
    monkeypatch.setattr(drill, "NEW_MASTER", BEFORE_THE_HEAL)
    later = drill.END - 5
    second = [
        Event(event.t + later - drill.FAULT, event.process, event.op, event.type, event.topic, event.broker,
              key=event.key, value=event.value and {**event.value, "phase": "2", "expects": "standstill"})
        for event in drill.history()
        if event.op in ("fault", "heal")
    ]  # fmt: skip
    shortened = [replace(event, t=min(event.t, drill.END - 0.5)) for event in second]
    events = sorted([*drill.history(), *shortened], key=lambda event: event.t)
    found = judged(events, tmp_path)
    assert (found.verdict, found.numbers["phases"]) == (Verdict.FAIL, 2)
    assert "1 of 2 phases" in found.summary
    assert found.numbers["served_without_majority"]


def test_a_phase_that_allows_anything_is_not_judged(tmp_path: Path) -> None:
    events = drill.history(expects="anything", new_master=AFTER_THE_HEAL)
    assert judged(events, tmp_path).verdict is Verdict.PASS

"""The first sustained success, on timelines made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.history.reader import open_history
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.checks import availability
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event, Type
from tests.unit.chaos.verdicts.checks.recorded import write

FAULT = 10.0


def _sends(times: Iterable[float], outcome: Type = "ok") -> list[Event]:
    events = []
    for t in times:
        key = f"{outcome}-{t:.3f}"
        events.append(Event(t, "producer-0", "send", "invoke", "t", "b", 0, key=key))
        offset = round(t * 1000) if outcome == "ok" else None
        events.append(Event(t + 0.01, "producer-0", "send", outcome, "t", "b", 0, offset, key, address="a:1"))
    return events


def _every(start: float, end: float, step: float = 0.1) -> list[float]:
    return [start + number * step for number in range(round((end - start) / step))]


def _fault(heal: float = 20.0) -> list[Event]:
    value = {"target": "master", "instance": "n0", "address": "a:1"}
    steps: list[tuple[float, str, Type]] = [
        (FAULT, "fault", "invoke"), (FAULT + 0.05, "fault", "ok"),
        (heal, "heal", "invoke"), (heal + 1, "heal", "ok"),
    ]  # fmt: skip
    return [Event(t, "nemesis", op, kind, key="kill", value=value) for t, op, kind in steps]  # type: ignore[arg-type]


def _check(events: list[Event], directory: Path, settings: Bounds | None = None) -> CheckResult:
    ordered = sorted(events, key=lambda event: event.t)
    with open_history(write(ordered, directory)) as history:
        return availability.check(history, settings or Bounds())


def test_a_success_between_failures_is_not_sustained(tmp_path: Path) -> None:
    events = [
        *_sends(_every(5, 10)), *_sends(_every(10.1, 14), "fail"), *_sends([14.05]),
        *_sends([14.1, 14.2], "info"), *_sends(_every(15, 30)), *_fault(),
    ]  # fmt: skip

    result = _check(events, tmp_path)

    assert result.verdict is Verdict.PASS
    assert result.numbers["rto_ms"] == pytest.approx(5010)
    assert result.numbers["first_acknowledged_ms"] == pytest.approx(4060)


def test_silence_is_no_service_though_nothing_fails(tmp_path: Path) -> None:
    hanging = _sends([10.35])
    hanging[1] = replace(hanging[1], t=13.01, offset=999)
    events = [*_sends(_every(5, 10)), *_sends([10.3]), *hanging, *_sends(_every(13, 30)), *_fault()]

    result = _check(events, tmp_path)

    assert result.numbers["rto_ms"] == pytest.approx(3010)


def test_a_load_that_stands_still_says_nothing_of_the_cluster(tmp_path: Path) -> None:
    """Nothing was sent and nothing was under way: the machine of the load was frozen, perhaps."""
    events = [*_sends(_every(5, 10)), *_sends([10.3]), *_sends(_every(13, 30)), *_fault()]

    result = _check(events, tmp_path)

    assert result.verdict is Verdict.PASS
    assert result.numbers["rto_ms"] == pytest.approx(310)


def test_a_send_from_before_the_fault_is_no_success_after_it(tmp_path: Path) -> None:
    late = _sends([9.98])
    late[1] = Event(10.4, *[getattr(late[1], name) for name in list(Event.__dataclass_fields__)[1:]])

    result = _check([*_sends(_every(5, 9.9)), *late, *_sends(_every(10.9, 30)), *_fault()], tmp_path)

    assert result.numbers["rto_ms"] == pytest.approx(910)


def test_service_that_never_comes_back_fails(tmp_path: Path) -> None:
    waited = Event(39, "nemesis", "heal", "fail", key="recovered", error="no master")
    events = [*_sends(_every(5, 10)), *_sends(_every(10.1, 40), "fail"), *_fault(), waited]

    result = _check(events, tmp_path)

    assert (result.verdict, result.numbers["rto_ms"]) == (Verdict.FAIL, None)


def test_a_drill_that_was_ended_early_gave_service_no_chance(tmp_path: Path) -> None:
    events = [*_sends(_every(5, 10)), *_sends(_every(10.1, 12), "fail"), *_fault(heal=12)]

    result = _check(events, tmp_path)

    assert (result.verdict, result.numbers["rto_ms"]) == (Verdict.INCONCLUSIVE, None)


def test_a_workload_that_ends_too_early_proves_nothing(tmp_path: Path) -> None:
    events = [*_sends(_every(5, 10)), *_sends(_every(10.1, 14), "fail"), *_sends(_every(14, 17)), *_fault()]

    result = _check(events, tmp_path)

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "ended before" in result.summary


def test_no_sends_while_the_fault_was_in_force_prove_nothing(tmp_path: Path) -> None:
    result = _check([*_sends(_every(5, 10)), *_sends(_every(21, 40)), *_fault()], tmp_path)

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "nothing was sent while" in result.summary


def test_a_cluster_that_was_not_steady_before_proves_nothing(tmp_path: Path) -> None:
    events = [*_sends(_every(5, 9.5)), *_sends([9.6], "info"), *_sends(_every(9.7, 30)), *_fault()]

    result = _check(events, tmp_path)

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "before the fault already" in result.summary


def test_a_limit_is_kept_or_not(tmp_path: Path) -> None:
    events = [*_sends(_every(5, 10)), *_sends(_every(10.1, 14), "fail"), *_sends(_every(14.1, 30)), *_fault()]

    assert _check(events, tmp_path, Bounds(rto_limit=5)).verdict is Verdict.PASS
    assert _check(events, tmp_path, Bounds(rto_limit=4)).verdict is Verdict.FAIL


def test_outcomes_are_counted_before_during_and_after(tmp_path: Path) -> None:
    events = [*_sends(_every(5, 10)), *_sends(_every(10.1, 14), "fail"), *_sends(_every(15, 30)), *_fault()]

    numbers = _check(events, tmp_path).numbers

    counts = [numbers[name] for name in ("before_ok", "during_ok", "during_fail", "after_ok", "after_fail")]
    assert counts == [50, 60, 39, 90, 0]


def _routes(server: str, *changes: tuple[float, str | None]) -> list[Event]:
    """Tell what a NameServer answers every half second, and at each change of its master."""
    answers = []
    for t in sorted({*_every(0, 30, 0.5), *(at for at, _ in changes)}):
        master = [name for at, name in changes if at <= t][-1]
        value = {} if master is None else {"0": master}
        answers.append(Event(t, server, "route", "ok", broker="b", value=value))
    return answers


def test_the_parts_are_those_of_who_was_master_when_it_was_struck(tmp_path: Path) -> None:
    """It was master earlier, too; and one NameServer did not name it."""
    sends = [*_sends(_every(5, 10)), *_sends(_every(10.1, 12), "fail"), *_sends(_every(12, 30))]
    seen = _routes("x", (0, "a:1"), (4, "c:3"), (6, "a:1"), (10.2, None), (11, "c:3"))

    numbers = _check([*sends, *_fault(), *seen, *_routes("y", (0, "c:3"))], tmp_path).numbers

    assert numbers["route_lost_ms.x"] == pytest.approx(200)
    assert numbers["new_master_ms.x"] == pytest.approx(1000)
    assert (numbers["route_lost_ms.y"], numbers["new_master_all_ms"]) == (None, None)


def test_a_slave_that_had_been_master_takes_no_route_with_it(tmp_path: Path) -> None:
    seen = _routes("x", (0, "a:1"), (4, "c:3"), (12, "d:4"))

    numbers = _check([*_sends(_every(5, 30)), *_fault(), *seen], tmp_path).numbers

    assert (numbers["route_lost_all_ms"], numbers["new_master_all_ms"]) == (None, None)

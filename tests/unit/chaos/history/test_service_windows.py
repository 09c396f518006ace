"""When sends worked: breaks, the windows that a person would name, and the first sustained success."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.chaos.history.reader import open_history
from rmqops.chaos.history.service_windows import GAP, Bin, Break, bins, breaks, first_sustained, next_ok, windows
from tests.support import drill
from tests.unit.chaos.verdicts.checks.recorded import write


def outcome(*, ok: tuple[float, float] | None = None, bad: tuple[float, float] | None = None) -> Bin:
    first_ok, last_ok = ok or (None, None)
    first_bad, last_bad = bad or (None, None)
    return Bin(first_ok, last_ok, first_bad, last_bad, int(ok is not None), int(bad is not None), 0)


def test_service_is_broken_by_what_goes_wrong_and_by_silence() -> None:
    outcomes = [outcome(ok=(1.0, 1.1)), outcome(bad=(1.2, 1.3)), outcome(ok=(1.4, 1.5)), outcome(ok=(4.0, 4.1))]
    assert breaks(outcomes) == [Break(1.2, 1.3, 1), Break(1.5 + GAP, 4.0 - 1e-6, 0)]


def test_a_pause_that_is_no_longer_than_the_gap_is_none() -> None:
    assert breaks([outcome(ok=(1.0, 1.0)), outcome(ok=(1.0 + GAP, 1.0 + GAP))]) == []


def test_breaks_that_are_close_are_one_window() -> None:
    broken = [Break(1.0, 2.0, 3), Break(2.0 + GAP / 2, 3.0, 4), Break(3.0 + GAP, 5.0, 1)]
    assert windows(broken) == [Break(1.0, 3.0, 7), Break(3.0 + GAP, 5.0, 1)]


@pytest.mark.parametrize(
    ("window", "at", "cut_short"),
    [(2.0, drill.NEW_MASTER + drill.LATENCY, False), (60.0, None, True)],
)
def test_a_success_is_sustained_when_nothing_breaks_for_the_window_after_it(
    tmp_path: Path, window: float, at: float | None, cut_short: bool
) -> None:
    with open_history(write(drill.history(), tmp_path)) as history:
        success = first_sustained(history, bins(history), drill.FAULT, window)
        assert next_ok(history, drill.FAULT, drill.FAULT) == drill.NEW_MASTER + drill.LATENCY
    assert (success.at, success.cut_short) == (at, cut_short)


def test_without_a_success_after_the_fault_nothing_is_sustained(tmp_path: Path) -> None:
    events = drill.history(new_master=drill.END)
    with open_history(write(events, tmp_path)) as history:
        success = first_sustained(history, bins(history), drill.FAULT, 2.0)
    assert (success.at, success.cut_short) == (None, False)

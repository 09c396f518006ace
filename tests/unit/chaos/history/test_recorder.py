"""The history's writer: whole lines, in order of time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmqops.chaos.history.format import FILE
from rmqops.chaos.history.recorder import HOLD, Recorder
from rmqops.errors import OperationFailed
from rmqops.model.history import Event


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def written(run: Path) -> list[str]:
    text = (run / FILE).read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line)["process"] for line in text.splitlines()]


def test_time_counts_from_the_start(tmp_path: Path, clock: Clock) -> None:
    with Recorder(tmp_path, clock) as recorder:
        clock.now += 1.5
        assert recorder.now() == pytest.approx(1.5)


def test_lines_that_come_out_of_order_are_written_in_order(tmp_path: Path, clock: Clock) -> None:
    with Recorder(tmp_path, clock) as recorder:
        clock.now += 1
        recorder.event(Event(0.9, "late", "send", "invoke"))
        recorder.line(0.1, Event(0.1, "early", "send", "invoke").line().encode())
        recorder.event(Event(0.9, "later", "send", "ok"))
        recorder.flush()
        assert written(tmp_path) == ["early", "late", "later"]


def test_what_is_young_is_held_back_and_what_is_old_is_out(tmp_path: Path, clock: Clock) -> None:
    with Recorder(tmp_path, clock) as recorder:
        clock.now += 1
        recorder.event(Event(1.0, "young", "send", "invoke"))
        recorder.event(Event(1.0 - HOLD, "old", "send", "invoke"))
        recorder.flush()
        assert written(tmp_path) == ["old"]
        clock.now += HOLD
        recorder.flush()
        assert written(tmp_path) == ["old", "young"]


def test_a_full_disk_is_told_once(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / FILE).symlink_to("/dev/full")
    with Recorder(tmp_path, clock) as recorder:
        recorder.event(Event(0.0, "first", "send", "invoke"))
        with pytest.raises(OperationFailed, match="make room"):
            recorder.flush(everything=True)
        recorder.event(Event(0.0, "second", "send", "invoke"))


def test_nothing_is_lost_at_the_end(tmp_path: Path, clock: Clock) -> None:
    with Recorder(tmp_path, clock) as recorder:
        recorder.event(Event(5.0, "future", "send", "invoke"))
    assert written(tmp_path) == ["future"]

"""The tables of a history: what each line becomes in them, and what none of them takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.history import database, tables
from rmqops.chaos.history.batches import Batch
from rmqops.chaos.history.format import (
    ACKNOWLEDGED,
    CONSUMED,
    DRAINED,
    INDETERMINATE,
    INVOKED,
    OTHER,
    REFUSED,
)
from rmqops.chaos.history.reader import History, open_history
from rmqops.model.history import Event

SENT = Event(1.0, "producer-1", "send", "invoke", "drill", "a", 0, None, "p1-0")
READ = Event(2.0, "consumer-1", "receive", "ok", "drill", "a", 0, 0, "p1-0", address="h:1")


def opened(directory: Path, *records: Event | Batch) -> Path:
    path = directory / "history.jsonl"
    path.write_text("".join(record.record() + "\n" for record in records))
    return path


def codes(history: History) -> list[int]:
    return [int(str(code)) for (code,) in history.query("select code from event order by line")]


def test_each_kind_of_line_has_its_code(tmp_path: Path) -> None:
    path = opened(
        tmp_path,
        SENT,
        replace(SENT, t=1.1, type="ok", offset=0),
        replace(SENT, t=1.2, type="fail", key="p1-1", error="no"),
        replace(SENT, t=1.3, type="info", key="p1-2"),
        READ,
        replace(READ, type="fail", key=None, offset=None),
        Event(3.0, "namesrv-1", "route", "ok", broker="a", value={"0": "h:1"}),
        Batch(replace(READ, t=4.0, process="drain-a-0"), ["p1-0", "p1-3"]),
    )
    with open_history(path) as history:
        expected = [INVOKED, ACKNOWLEDGED, REFUSED, INDETERMINATE, CONSUMED, OTHER, OTHER, DRAINED, DRAINED]
        assert codes(history) == expected
        assert history.count() == len(expected)
        assert [event.op for event in history.others] == ["receive", "route"]
        (acknowledged,) = history.keys("select k from acknowledged")
        events = history.events_of([acknowledged])[acknowledged]
        assert [(event.op, event.offset) for event in events] == [
            ("send", None), ("send", 0), ("receive", 0), ("receive", 0)
        ]  # fmt: skip


def test_a_line_that_lacks_what_its_kind_must_have_is_no_event(tmp_path: Path) -> None:
    path = opened(tmp_path, SENT, replace(SENT, t=1.1, type="ok", offset=None))
    with pytest.raises(ValueError, match="lacks a field"), database.connect(1, tmp_path) as connection:
        database.load(connection, path, tmp_path, tables.RANGE_BITS)


def test_memory_is_bounded_by_the_size_of_the_history(tmp_path: Path) -> None:
    for size, expected in ((1, database.SMALLEST_MEMORY_MB), (1 << 40, database.LARGEST_MEMORY_MB)):
        with database.connect(size, tmp_path) as connection:
            row = connection.execute("select current_setting('memory_limit')").fetchone()
        assert row is not None
        number, unit = str(row[0]).split()
        assert unit == "MiB"
        assert float(number) == pytest.approx(expected * 1e6 / (1 << 20), rel=0.01)


def test_who_read_while_the_drill_ran_is_named(tmp_path: Path) -> None:
    path = opened(tmp_path, replace(READ, process="consumer-2.3"), READ, replace(READ, t=9.0, process="drain-a-0"))
    with open_history(path) as history:
        assert history.consumers == ("consumer-1", "consumer-2.3")

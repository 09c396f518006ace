"""Load a history into DuckDB: the tables of ``history.tables``, and the events that are read one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rmqops.chaos.history import tables
from rmqops.chaos.history.format import DRAIN, MALFORMED, OTHER
from rmqops.chaos.history.lines import need_numbers
from rmqops.model.history import Event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

THREADS = 2
SMALLEST_MEMORY_MB = 150
LARGEST_MEMORY_MB = 750
BYTES_A_MEMORY_BYTE = 8
"""A history of 8 GB is given 1 GB, within the two bounds above."""


def connect(size: int, place: Path) -> DuckDBPyConnection:
    """Open a database for a history of ``size`` bytes, bounded in memory; what does not fit goes to ``place``."""
    import duckdb

    memory = min(max(size // BYTES_A_MEMORY_BYTE >> 20, SMALLEST_MEMORY_MB), LARGEST_MEMORY_MB)
    return duckdb.connect(
        config={
            "threads": THREADS,
            "memory_limit": f"{memory}MB",
            "temp_directory": str(place / "spill"),
            "enable_external_file_cache": False,
        }
    )


def load(connection: DuckDBPyConnection, source: Path, place: Path, bits: int) -> tuple[Event, ...]:
    """Make every table of ``rmqops.chaos.history.tables`` from ``source``; return the single events.

    Raises:
        ValueError: a line is not an event.
    """
    import duckdb

    quoted = {name: str(file).replace("'", "''") for name, file in (("jsonl", source), ("database", place / "e"))}
    try:
        connection.execute(tables.RAW.format(**quoted))
        connection.execute(tables.LOAD.format(**quoted))
    except (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InterruptException):
        raise
    except duckdb.Error as error:  # whatever a strange line makes of itself
        raise ValueError(str(error)) from error
    connection.execute(tables.VIEWS)
    rows = connection.execute(
        "select code, line, p, q, t, rest from event where rest is not null and code in (?, ?) order by line",
        [OTHER, MALFORMED],
    ).fetchall()
    if any(code == MALFORMED for code, *_ in rows):
        raise ValueError("an event lacks a field that its kind must have")
    events = tuple(_single(t, rest) for _, _, _, _, t, rest in rows)
    _name(connection, [(p, q, event) for (_, _, p, q, _, _), event in zip(rows, events, strict=True)])
    connection.execute(tables.SUMS)
    connection.execute(tables.MESSAGES)
    connection.execute(tables.RANGES.format(bits=bits))
    return events


def _single(t: int, rest: str) -> Event:
    fields = json.loads(rest)
    value = None if fields["value"] is None else checked_value(json.loads(fields["value"]))
    need_numbers({**fields, "value": value})
    return Event(t / 1e6, **{**fields, "value": value})


def checked_value(value: object) -> Mapping[str, str]:
    """Return the value of an event, a map of names to texts.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("value is not a map of texts")
    return value


def _name(connection: DuckDBPyConnection, singles: Sequence[tuple[int, int, Event]]) -> None:
    """Fill the tables of names and of what each drain was to reach."""
    names = {p: event.process for p, _, event in singles}
    drains: dict[tuple[int, int], list[object]] = {}
    for p, q, event in singles:
        if event.op != "receive" or event.queue is None or not event.process.startswith(DRAIN):
            continue
        if event.type == "invoke":
            at = round(event.t * 1e6)
            drains[p, q] = [p, q, event.topic, event.broker, event.queue, event.offset, at, False]
        elif (p, q) in drains:
            drains[p, q][-1] = True
    if names:
        connection.executemany("insert into name values (?, ?)", [list(item) for item in names.items()])
    if drains:
        connection.executemany("insert into drain values (?, ?, ?, ?, ?, ?, ?, ?)", list(drains.values()))

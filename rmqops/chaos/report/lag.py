"""How far behind each reader was over time: what was acknowledged and it had not read, for a page to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rmqops.chaos.history import run_record
from rmqops.chaos.history.format import RUN
from rmqops.chaos.history.readers import ALL, Reader, of_names
from rmqops.chaos.history.run_record import RunRecord
from rmqops.model.history import Event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BIN_LIMIT = 2000
"""Bins of a curve at most, so that many of them keep a page small."""

READER_LIMIT = 12
"""Curves that are drawn, those of whoever was furthest behind."""

NAMES = "select distinct process from event where op = 'receive' and by_consumer and q is not null order by 1"
RECORD = f"select value from event where op = 'run' and process = '{RUN}' and type = 'invoke'"  # noqa: S608
KILLED = "select distinct value['instance'] from event where op = 'fault' and broker is null"
ACKNOWLEDGED = """
    select floor(t / $1)::integer as bin, q, any_value(topic), max(o) + 1 from event
    where op = 'send' and q is not null group by bin, q order by bin, q
"""
READ = """
    select floor(t / $1)::integer as bin, q, max(o) + 1 from event
    where op = 'receive' and by_consumer and q is not null and list_contains($2::varchar[], process)
    group by bin, q order by bin, q
"""
LIFE = """
    select min(t), max(t) from event
    where op = 'receive' and by_consumer and q is not null and list_contains($1::varchar[], process)
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """Messages behind at the end of each bin, all queues together; None where the reader was not there."""

    reader: str
    messages: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Lag:
    """The curves of those who read."""

    width: float = 1.0
    """Of a bin, in seconds."""
    curves: tuple[Curve, ...] = ()
    left_out: int = 0
    """Readers that were less far behind than those that are drawn."""


def lag(database: DuckDBPyConnection, widths: Sequence[float], end: float) -> Lag:
    """Compute the curves from the table ``event`` of ``report.timeline``.

    A reader is behind in a queue by as many places as lie between the highest that was acknowledged and the
    highest that it has read; reading again what it had read puts it no further behind.

    Args:
        database: Has the table.
        widths: Of bins, in seconds, the finest first.
        end: Where the curves end, in seconds.
    """
    width = next((width for width in widths if end / width <= BIN_LIMIT), widths[-1])
    size = int(end / width) + 1
    acknowledged: dict[int, list[tuple[int, str, int]]] = {}
    for place, queue, topic, offset in database.execute(ACKNOWLEDGED, [width]).fetchall():
        acknowledged.setdefault(min(place, size - 1), []).append((queue, topic, offset))
    curves = [_curve(database, reader, acknowledged, width, size) for reader in _readers(database)]
    curves.sort(key=lambda curve: (-max((each or 0 for each in curve.messages), default=0), curve.reader))
    drawn = sorted(curves[:READER_LIMIT], key=lambda curve: curve.reader)
    return Lag(width, tuple(drawn), len(curves) - len(drawn))


def _readers(database: DuckDBPyConnection) -> tuple[Reader, ...]:
    names = [str(row[0]) for row in database.execute(NAMES).fetchall()]
    killed = [str(row[0]) for row in database.execute(KILLED).fetchall()]
    record = RunRecord()
    for (value,) in database.execute(RECORD).fetchall():
        try:
            record = run_record.read([Event(0.0, RUN, "run", "invoke", value=value)])
        except ValueError:  # the check ``history`` tells of it
            continue
    if record.consumers:
        return of_names(record.consumers, names, killed)
    return (Reader(ALL, None, tuple(names)),) if names else ()


def _curve(
    database: DuckDBPyConnection,
    reader: Reader,
    acknowledged: Mapping[int, Sequence[tuple[int, str, int]]],
    width: float,
    size: int,
) -> Curve:
    read: dict[int, list[tuple[int, int]]] = {}
    for place, queue, offset in database.execute(READ, [width, list(reader.processes)]).fetchall():
        read.setdefault(min(place, size - 1), []).append((queue, offset))
    life = database.execute(LIFE, [list(reader.processes)]).fetchone()
    first, last = life or (None, None)
    ends: dict[int, int] = {}
    places: dict[int, int] = {}
    behind: dict[int, int] = {}
    total = 0
    messages: list[int | None] = []
    for place in range(size):
        changed = {queue for queue, _ in read.get(place, ())}
        for queue, topic, offset in acknowledged.get(place, ()):
            if reader.topic in (None, topic):
                ends[queue] = max(ends.get(queue, 0), offset)
                changed.add(queue)
        for queue, offset in read.get(place, ()):
            places[queue] = max(places.get(queue, 0), offset)
        for queue in changed:
            now = max(0, ends.get(queue, 0) - places.get(queue, 0))
            total += now - behind.get(queue, 0)
            behind[queue] = now
        away = not reader.shares and _away(reader, first, last, place * width, width)
        messages.append(None if away else total)
    return Curve(reader.name, tuple(messages))


def _away(reader: Reader, first: float | None, last: float | None, start: float, width: float) -> bool:
    """Tell whether a consumer of no group was not there: it took the place of another one, or was killed."""
    replaced = first is not None and "-" in reader.name.partition("-")[2] and start + width <= first
    return replaced or (reader.killed and last is not None and start > last)

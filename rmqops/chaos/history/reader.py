"""Read ``history.jsonl`` as tables for the checks; line by line it is read by ``history.lines``.

The file may be larger than memory. ``open_history`` turns it into columns in a private temporary directory, which
is removed afterwards, and asks DuckDB within a bound of memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rmqops.chaos.history import tables
from rmqops.chaos.history.database import connect, load
from rmqops.chaos.history.format import DRAIN, FIELDS, FILE
from rmqops.chaos.history.lines import MalformedHistory, events, torn_bytes
from rmqops.errors import OperationFailed, UsageError
from rmqops.model.history import Event, Op
from rmqops.system import scratch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = tuple[object, ...]

_EVENT = [f'"{name}"' for name in FIELDS if name not in ("value", "keys")]
EVENTS_OF = f"""
    select hash(key), {", ".join(_EVENT)}
    from message_line where hash(key) in (select unnest($1::ubigint[]))
    order by t, type <> 'invoke', {", ".join(name for name in _EVENT if name != '"t"')}
"""  # noqa: S608 - constants of this module
CONSUMERS = f"""
    select distinct process from raw
    where op = 'receive' and type = 'ok' and not starts_with(process, '{DRAIN}') order by process
"""  # noqa: S608 - constants of this module


@dataclass(frozen=True, slots=True)
class Drain:
    """One member's read-back of one queue.

    It is complete when it reached ``end`` (exclusive), did not give up, and no send to this queue ended after the
    end offset had been asked for.
    """

    process: str
    topic: str
    broker: str
    queue: int
    end: int
    complete: bool

    @property
    def place(self) -> str:
        """Name the queue."""
        return f"{self.broker}/{self.queue}"


@dataclass
class History:
    """The tables of one history (see ``history.tables``) and the few events that checks read one by one."""

    connection: DuckDBPyConnection
    others: tuple[Event, ...]
    """Routes, faults, heals, and what drains say beside messages, in order."""
    notes: tuple[str, ...] = ()
    range_bits: int = tables.RANGE_BITS

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Ask the tables."""
        return self.connection.execute(sql, list(parameters)).fetchall()

    def keys(self, sql: str) -> list[int]:
        """Ask for keys, the first column."""
        return [cast(int, row[0]) for row in self.query(sql)]

    def sorted_keys(self, sql: str) -> tuple[list[int], list[int]]:
        """Ask for keys and a yes or no beside each; return those with yes, and those with no."""
        rows = self.query(sql)
        return [cast(int, k) for k, yes, *_ in rows if yes], [cast(int, k) for k, yes, *_ in rows if not yes]

    def number(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Ask for one whole number; nothing counts as 0."""
        value = self.query(sql, parameters)[0][0]
        return int(cast(int, value or 0))

    def count(self, *codes: int) -> int:
        """Return how many events there are with these codes of ``history.format``; without any, all."""
        return sum(number for code, number in self._counts.items() if code in codes or not codes)

    @cached_property
    def _counts(self) -> dict[int, int]:
        rows = self.query("select code, sum(coalesce(len(ks), 1))::bigint from store.line group by code")
        return {cast(int, code): cast(int, number) for code, number in rows}

    def of(self, *ops: Op) -> Iterator[Event]:
        """Return the single events of some kinds."""
        return (event for event in self.others if event.op in ops)

    @cached_property
    def drains(self) -> tuple[Drain, ...]:
        """Say for each member and queue whether it was drained to its end."""
        rows = self.query("""
            select process, topic, broker, queue, ended, complete
            from drain join name using (p) join complete using (p, q)
            order by broker, queue, process, topic
        """)
        return tuple(Drain(*row) for row in rows)  # type: ignore[arg-type]

    @cached_property
    def undrained(self) -> tuple[str, ...]:
        """Name the queues that were written to and that no member was read back from to the end."""
        complete = {(drain.topic, drain.broker, drain.queue) for drain in self.drains if drain.complete}
        tried = {(drain.topic, drain.broker, drain.queue) for drain in self.drains}
        unknown = self.number("select count(distinct q) from acknowledged anti join drain using (q)")
        names = [f"{broker}/{queue}" for _, broker, queue in sorted(tried - complete)]
        return (*names, *([f"{unknown} never tried"] if unknown else []))

    def events_of(self, keys: Iterable[int]) -> dict[int, list[Event]]:
        """Return every send and receive of some keys, by reading the file again; only findings pay for that.

        They come in order of ``t``, an ``invoke`` before its outcome; where these are equal, as in a batch, the
        fields decide.
        """
        chosen = sorted(set(keys))
        if not chosen:
            return {}
        events_by_key: dict[int, list[Event]] = {}
        for k, *fields in self.query(EVENTS_OF, [chosen]):
            events_by_key.setdefault(cast(int, k), []).append(Event(*fields))  # type: ignore[arg-type]
        return events_by_key

    @cached_property
    def consumers(self) -> tuple[str, ...]:
        """Name every process that read while the drill ran, by reading the file again; only few checks ask."""
        return tuple(str(row[0]) for row in self.query(CONSUMERS))


@contextmanager
def open_history(path: Path, range_bits: int = tables.RANGE_BITS) -> Iterator[History]:
    """Load a history into tables for as long as the block runs; ``range_bits`` changes the cost, not the content.

    Raises:
        UsageError: there is no such file.
        MalformedHistory: it is empty, or a line in it is not an event; the message has the line's number.
        OperationFailed: the machine ran out of memory or of room in its temporary directory.
    """
    import duckdb

    if not path.is_file():
        raise UsageError(
            f"{path} does not exist", remedy=f"name a run: a directory with a {FILE} that a drill wrote"
        )
    with scratch.directory("checks") as place:
        torn = torn_bytes(path)
        if path.stat().st_size == torn:
            raise MalformedHistory(path, 1, "there is not one whole event: the drill ended before it began")
        source = _without_tail(path, torn, place)
        connection = connect(path.stat().st_size, place)
        try:
            try:
                others = load(connection, source, place, range_bits)
            except ValueError as error:
                raise _find_malformed(path, str(error)) from error
            notes = (f"the last line was cut short and left out ({torn} bytes)",) if torn else ()
            yield History(connection, others, notes, range_bits)
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise OperationFailed(
                f"{path} could not be checked: {error}",
                remedy="free memory, or point TMPDIR at a directory with as much room as the history",
            ) from error
        finally:
            connection.close()


def _without_tail(path: Path, torn: int, place: Path) -> Path:
    """Give the history a plain name, for DuckDB reads patterns, and cut the torn line off a copy."""
    plain = place / FILE
    if not torn:
        plain.symlink_to(path.resolve())
        return plain
    with path.open("rb") as source, plain.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.truncate(path.stat().st_size - torn)
    return plain


def _find_malformed(path: Path, reason: str) -> MalformedHistory:
    """Read the file slowly to name the first line that is wrong."""
    try:
        for _ in events(path):
            pass
    except MalformedHistory as error:
        return error
    return MalformedHistory(path, 0, reason)

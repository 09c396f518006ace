"""Read ``history.jsonl``: line by line for people, as tables for the checks.

The file may be larger than memory. ``events`` streams it. ``open_history`` turns it into columns in a private
temporary directory, which is removed afterwards, and asks DuckDB within a bound of memory.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from rmqops.chaos.history import tables
from rmqops.chaos.history.database import checked_value, connect, load
from rmqops.errors import Inconclusive, OperationFailed, UsageError
from rmqops.model.history import DRAIN, Batch, Event, Op, Type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE = "history.jsonl"
KINDS = dict.fromkeys(("topic", "broker", "key", "error", "address"), str) | {
    "queue": int,
    "offset": int,
}
"""The types of the fields that may be null."""

Row = tuple[object, ...]


class MalformedHistory(Inconclusive):
    """A line of the history, not the last one, is none; so nothing that follows from the history is proven."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(
            f"{path}:{line}: {reason}",
            remedy="the file was damaged or written by something else; run the drill again",
        )
        self.line = line


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


def parse_line(text: str) -> Event:
    """Read one event from a line, as ``rmqops chaos history`` prints it.

    Raises:
        ValueError: it is not one; the message says why.
    """
    return _event(_object(text))


def parse_record(text: str) -> Event | Batch:
    """Read one line of ``history.jsonl``.

    Raises:
        ValueError: it is not one; the message says why.
    """
    fields = _object(text)
    if fields.get("keys") is None:
        return _event(fields)
    keys = fields["keys"]
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
        raise ValueError("keys is not a list of strings")
    if fields.get("key") is not None:
        raise ValueError("key and keys on one line")
    first = _event({**fields, "key": keys[0]})
    if (first.op, first.type) != ("receive", "ok") or not first.process.startswith(DRAIN):
        raise ValueError("keys of something else than messages that a drain read")
    if (first.offset or 0) + len(keys) > 1 << 32:
        raise ValueError("offset is beyond 2^32")
    return Batch(first, keys)


def _object(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object")
    return fields


def _event(fields: Mapping[str, Any]) -> Event:
    t = fields.get("t")
    if isinstance(t, bool) or not isinstance(t, int | float) or not 0 <= t <= tables.LONGEST_RUN:
        raise ValueError("t is not a number of seconds since the start")
    for name, allowed in (("op", get_args(Op)), ("type", get_args(Type))):
        if fields.get(name) not in allowed:
            raise ValueError(f"{name} is {fields.get(name)!r}, not one of {', '.join(allowed)}")
    if not isinstance(fields.get("process"), str):
        raise ValueError("process is not a string")
    for name, kind in KINDS.items():
        if fields.get(name) is not None and type(fields[name]) is not kind:
            raise ValueError(f"{name} is not {'a whole number' if kind is int else 'a text'}")
        if kind is str and fields.get(name) is not None:
            fields[name].encode()  # a lone surrogate is no text
    if fields.get("value") is not None:
        checked_value(fields["value"])
    if not -(1 << 31) <= (fields.get("queue") or 0) < 1 << 31 or abs(fields.get("offset") or 0) >= 1 << 63:
        raise ValueError("queue or offset is beyond its range")
    fields["process"].encode()
    _need(fields)
    known: dict[str, Any] = {name: fields.get(name) for name in Event.__dataclass_fields__}
    return Event(**known)


def _need(fields: Mapping[str, object]) -> None:
    """Refuse an event without the fields that its kind must have."""
    needed: tuple[str, ...] = ()
    if fields["op"] in ("send", "receive") and fields["type"] == "ok":
        needed = ("topic", "broker", "queue", "offset", "key")
    elif fields["op"] == "send":
        needed = ("key",)
    missing = [name for name in needed if fields.get(name) is None]
    if missing:
        raise ValueError(f"{fields['op']} {fields['type']} without {', '.join(missing)}")
    if fields["type"] == "ok" and not 0 <= cast(int, fields.get("offset") or 0) < 1 << 32:
        raise ValueError("offset is negative or beyond 2^32")


def events(path: Path) -> Iterator[Event]:
    """Stream the events of a history; a torn last line is left out.

    Raises:
        UsageError: there is no such file.
        MalformedHistory: a line is not an event.
    """
    for number, text, whole in _lines(path):
        try:
            yield from _each(parse_record(text))
        except ValueError as error:
            if whole:
                raise MalformedHistory(path, number, str(error)) from error


def readable(path: Path) -> Iterator[Event]:
    """Stream what can be read of a history that is damaged, for what must not be missed: faults not healed."""
    for _, text, _ in _lines(path):
        with suppress(ValueError):
            yield from _each(parse_record(text))


def _each(record: Event | Batch) -> Iterable[Event]:
    return (record,) if isinstance(record, Event) else record.events()


def _lines(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Yield number, text, and whether the line was ended."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.decode("utf-8", errors="replace").rstrip("\n"), line.endswith(b"\n")
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist", remedy=f"name a run: a directory with {FILE} in it") from error


def _torn(path: Path) -> int:
    """Return how many bytes at the end of the file are a line cut short, as kill -9 leaves it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 2 * tables.LONGEST_LINE))
        tail = file.read()
    last = tail[tail.rfind(b"\n") + 1 :]
    try:
        if last.strip():
            parse_record(last.decode("utf-8"))
    except ValueError:
        return len(last)
    return 0


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
        """Return how many events there are with these codes of ``history.tables``; without any, all."""
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

    def stories(self, keys: Iterable[int]) -> dict[int, list[Event]]:
        """Return every send and receive of some keys, by reading the file again; only findings pay for that.

        They come in order of ``t``, an ``invoke`` before its outcome; where these are equal, as in a batch, the
        fields decide.
        """
        chosen = sorted(set(keys))
        if not chosen:
            return {}
        rows = self.query(
            """select hash(key), t, process, op, type, topic, broker, queue, "offset", key, error, address
            from message_line where hash(key) in (select unnest($1::ubigint[]))
            order by t, type <> 'invoke', process, op, type, topic, broker, queue, "offset", key, error,
                address""",
            [chosen],
        )
        found: dict[int, list[Event]] = {}
        for k, *fields in rows:
            found.setdefault(cast(int, k), []).append(Event(*fields))  # type: ignore[arg-type]
        return found


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
    with tempfile.TemporaryDirectory(prefix="rmqops-checks-") as private:
        place = Path(private)
        torn = _torn(path)
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

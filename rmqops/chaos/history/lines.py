"""Read ``history.jsonl`` line by line, and say of a line that is none what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from rmqops.chaos.history.batches import Batch
from rmqops.chaos.history.format import (
    ASKED,
    DRAIN,
    FIELDS,
    FILE,
    LARGEST_OFFSET,
    LONGEST_LINE,
    LONGEST_RUN,
    OBLIGATORY,
    OPS,
    TYPES,
)
from rmqops.errors import Inconclusive, UsageError
from rmqops.model.history import Event

_OPTIONAL = {name: field.json for name, field in FIELDS.items() if name not in (*OBLIGATORY, "keys")}
"""The types of the fields that may be null."""
_NAMES = {int: "a whole number", str: "a text", dict: "a map of texts"}


class MalformedHistory(Inconclusive):
    """A line of the history, not the last one, is none; so nothing that follows from the history is proven."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(
            f"{path}:{line}: {reason}",
            remedy="the file was damaged or written by something else; run the drill again",
        )
        self.line = line


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
    if (first.offset or 0) + len(keys) > LARGEST_OFFSET + 1:
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
    if isinstance(t, bool) or not isinstance(t, int | float) or not 0 <= t <= LONGEST_RUN:
        raise ValueError("t is not a number of seconds since the start")
    for name, allowed in (("op", OPS), ("type", TYPES)):
        if fields.get(name) not in allowed:
            raise ValueError(f"{name} is {fields.get(name)!r}, not one of {', '.join(allowed)}")
    if not isinstance(fields.get("process"), str):
        raise ValueError("process is not a string")
    for name, kind in _OPTIONAL.items():
        if fields.get(name) is not None and type(fields[name]) is not kind:
            raise ValueError(f"{name} is not {_NAMES[kind]}")
        if kind is str and fields.get(name) is not None:
            fields[name].encode()  # a lone surrogate is no text
    fields["process"].encode()
    if not all(isinstance(item, str) for item in (fields.get("value") or {}).values()):
        raise ValueError("value is not a map of texts")
    if not 0 <= (fields.get("queue") or 0) < 1 << 31 or abs(fields.get("offset") or 0) >= 1 << 63:
        raise ValueError("queue or offset is beyond its range")
    _need(fields)
    need_numbers(fields)
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
    if fields["type"] == "ok" and not 0 <= cast(int, fields.get("offset") or 0) <= LARGEST_OFFSET:
        raise ValueError("offset is negative or beyond 2^32")


def need_numbers(fields: Mapping[str, Any]) -> None:
    """Refuse an event whose ``value`` has texts where numbers must stand.

    Raises:
        ValueError: what was committed is no offset of a queue, or a consumer asked at no time.
    """
    value = fields.get("value") or {}
    if (fields["op"], fields["type"]) == ("committed", "ok"):
        missing = [name for name in ("topic", "broker", "key") if fields.get(name) is None]
        if missing:
            raise ValueError(f"committed ok without {', '.join(missing)}")
        if not all(_is_offset(queue) and _is_offset(offset) for queue, offset in value.items()):
            raise ValueError("committed ok with something else than offsets of queues")
    asked = value.get(ASKED) if fields["op"] == "receive" else None
    if asked is not None and not 0 <= float(asked) <= LONGEST_RUN:
        raise ValueError("a consumer asked at no time")


def _is_offset(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text[:20]) <= LARGEST_OFFSET


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


def torn_bytes(path: Path) -> int:
    """Return how many bytes at the end of the file are a line cut short, as kill -9 leaves it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 2 * LONGEST_LINE))
        tail = file.read()
    last = tail[tail.rfind(b"\n") + 1 :]
    try:
        if last.strip():
            parse_record(last.decode("utf-8"))
    except ValueError:
        return len(last)
    return 0

"""The events of a drill, as they stand in ``history.jsonl``: one JSON object a line, in order of ``t``.

A line leaves out what is null. What one answer brought to a drain is one line, a :class:`Batch`: ``offset`` is
that of the first message, and ``keys`` stands in the place of ``key``. ``rmqops chaos history`` prints each event
on a line of its own, with every field.

Conventions beyond the field list, which the checks rely on:

A drill has a topic of its own, made fresh for it, so that nothing older is in its queues and offsets begin at 0.
``t`` never runs backwards between two lines of one process. One writer appends whole lines.

``send``
    ``invoke`` when the request is handed to the socket, then exactly one of ``ok`` (acknowledged: ``broker``,
    ``queue``, ``offset`` are the broker's), ``fail`` (refused: certainly not stored) or ``info``
    (indeterminate). ``key`` is unique in a run and begins the message's body. All four carry the ``topic``, and
    ``broker``, ``queue`` and ``address`` (the broker asked) where they are known. An ``invoke`` that nothing
    follows is indeterminate: its process died. A retry is a further ``invoke`` and outcome with the same key; a
    client that retries inside itself says so in the outcome's ``value``, ``{"attempts": "2"}``.
``receive``
    ``ok`` for each message read, with ``broker``, ``queue``, ``offset``, ``key`` and the ``address`` that served
    it. A process named ``consumer-…`` reads while the drill runs; one life, one name: after a restart it has a new
    one, because it may read again what it had not committed. A process named ``drain-<instance>`` reads
    everything back afterwards from one member: for each queue an ``invoke`` whose ``offset`` is the end offset
    to be reached (exclusive), asked for after the last send had ended, the messages from offset 0 on, and a
    ``fail`` if the end could not be reached. A process named ``reader-<phase>-<instance>`` does the same with a
    living member while its master is dead; its ``invoke`` says in ``value`` what ``role`` that master had. In a
    drill whose load reads from slaves, a consumer's ``ok`` says in ``value`` as what the ``address`` was asked,
    ``{"from": "slave"}`` or ``"master"``.
``probe``
    One message that the run itself offers to a living member while its master is dead, by a process named
    ``writer-<phase>-<instance>``: ``fail`` when it was refused, as it must be, ``ok`` when it was taken, ``info``
    when that is not known.
``route``
    What one NameServer answers, the process being that NameServer's instance name: ``ok`` with ``broker`` (the
    group) and ``value``, a map of broker id to address (``{"0": "127.0.0.1:10911", …}``; empty when the group is
    not in the route), or ``fail`` with ``error``. Sampled every 20 ms; written when it changes and once a second.
``leader``
    That the member ``process`` of the group ``broker`` has been its leader in a term, as its own log says:
    ``ok`` with ``value``, ``{"term": "3"}``, once for each term, or ``fail`` with ``error`` when the log could
    not be read. Written after the drill, so ``t`` is not when it led.
``fault`` and ``heal``
    By the process ``nemesis``: ``invoke`` before the act, ``ok`` when its effect is verified, ``fail`` or ``info``
    when it is not. ``key`` is the kind of fault, ``value`` says
    ``{"target": "master", "instance": name, "address": address}``. A heal has its fault's ``key`` and ``value``.
    ``heal`` with the key ``recovered`` is ``ok`` when the cluster was healthy again and ``fail`` when it was not
    in the time given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from json.encoder import encode_basestring as _quote
from typing import Literal

Op = Literal["send", "receive", "probe", "route", "leader", "fault", "heal"]
Type = Literal["invoke", "ok", "fail", "info"]

CONTRACT = ("t", "process", "op", "type", "topic", "broker", "queue", "offset", "key", "error")
"""The fields that every line shown has; ``address`` and ``value`` come where they are known."""

DRAIN = "drain-"
"""Begins the name of a process that reads back."""

READER = "reader-"
"""Begins the name of a process that reads what a group's living members hold while its master is dead."""

WRITER = "writer-"
"""Begins the name of a process that offers a message to such a member."""

BATCH = 32
"""Messages in one line at most: as many as a broker gives in one answer."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history; ``t`` is seconds since the start of the drill."""

    t: float
    process: str
    op: Op
    type: Type
    topic: str | None = None
    broker: str | None = None
    queue: int | None = None
    offset: int | None = None
    key: str | None = None
    error: str | None = None
    address: str | None = None
    value: Mapping[str, str] | None = None

    def line(self) -> str:
        """Return the event as a line with every field of the contract, newline excluded."""
        return _dump({**dict.fromkeys(CONTRACT), **self.fields()})

    def record(self) -> str:
        """Return the line of ``history.jsonl``, newline excluded.

        Written by hand, in a quarter of the time that ``json.dumps`` takes: a load writes two for each message.
        """
        parts = [
            f'{{"t":{round(self.t, 6)!r},"process":{_quote(self.process)},"op":"{self.op}","type":"{self.type}"'
        ]
        for name, value in (
            ("topic", self.topic), ("broker", self.broker), ("queue", self.queue), ("offset", self.offset),
            ("key", self.key), ("error", self.error), ("address", self.address),
        ):  # fmt: skip
            if value is not None:
                parts.append(f',"{name}":{_quote(value) if isinstance(value, str) else value}')
        if self.value is not None:
            parts.append(f',"value":{_dump(dict(self.value))}')
        return "".join((*parts, "}"))

    def fields(self) -> dict[str, object]:
        """Return what is not null."""
        fields: dict[str, object] = {
            "t": round(self.t, 6),
            "process": self.process,
            "op": self.op,
            "type": self.type,
            "topic": self.topic,
            "broker": self.broker,
            "queue": self.queue,
            "offset": self.offset,
            "key": self.key,
            "error": self.error,
            "address": self.address,
            "value": None if self.value is None else dict(self.value),
        }
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages at consecutive offsets of one queue, that one answer brought to a drain."""

    first: Event
    keys: Sequence[str]
    """Of all of them, the first one included."""

    @property
    def t(self) -> float:
        """Return when they came."""
        return self.first.t

    def events(self) -> Iterator[Event]:
        """Return one event for each message."""
        begin = self.first.offset or 0
        return (replace(self.first, offset=offset, key=key) for offset, key in enumerate(self.keys, begin))

    def record(self) -> str:
        """Return the line of ``history.jsonl``, newline excluded."""
        fields = self.first.fields()
        fields.pop("key", None)
        return _dump({**fields, "keys": list(self.keys)})


def pack(events: Iterable[Event]) -> Iterator[Event | Batch]:
    """Put neighbours together that a drain read, and that differ by the key and the next offset only."""
    batch: list[Event] = []
    for event in events:
        if batch and (len(batch) == BATCH or not _follows(event, batch)):
            yield _batch(batch)
            batch = []
        if _may_share(event):
            batch.append(event)
        else:
            yield event
    if batch:
        yield _batch(batch)


def _may_share(event: Event) -> bool:
    read = event.op == "receive" and event.type == "ok" and event.process.startswith(DRAIN)
    return read and event.key is not None and event.offset is not None and event.offset >= 0


def _follows(event: Event, batch: Sequence[Event]) -> bool:
    first = batch[0]
    if event.key is None or event.offset != (first.offset or 0) + len(batch):
        return False
    return replace(event, offset=first.offset, key=first.key) == first


def _batch(events: Sequence[Event]) -> Batch:
    return Batch(events[0], [str(event.key) for event in events])


def _dump(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)

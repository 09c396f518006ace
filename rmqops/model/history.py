"""The events of a drill, as they stand in ``history.jsonl``: one JSON object a line, in order of ``t``.

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
    ``fail`` if the end could not be reached.
``route``
    What one NameServer answers, the process being that NameServer's instance name: ``ok`` with ``broker`` (the
    group) and ``value``, a map of broker id to address (``{"0": "127.0.0.1:10911", …}``; empty when the group is
    not in the route), or ``fail`` with ``error``. Sampled every 20 ms; written when it changes and once a second.
``fault`` and ``heal``
    By the process ``nemesis``: ``invoke`` before the act, ``ok`` when its effect is verified, ``fail`` or ``info``
    when it is not. ``key`` is the kind of fault, ``value`` says
    ``{"target": "master", "instance": name, "address": address}``. A heal has its fault's ``key`` and ``value``.
    ``heal`` with the key ``recovered`` is ``ok`` when the cluster was healthy again and ``fail`` when it was not
    in the time given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Op = Literal["send", "receive", "route", "fault", "heal"]
Type = Literal["invoke", "ok", "fail", "info"]


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
        """Return the line of ``history.jsonl``, newline excluded, with every field of the contract."""
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
        }
        if self.address is not None:
            fields["address"] = self.address
        if self.value is not None:
            fields["value"] = dict(self.value)
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)

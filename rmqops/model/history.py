"""An event of a drill and its line of JSON; what its fields say is told in ``rmqops.chaos.history.format``. PURE.

This module travels to the hosts that the load's native client runs on, so it needs nothing but Python's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as _quote
from typing import Literal

Op = Literal["send", "receive", "probe", "route", "committed", "leader", "fault", "heal", "run"]
Type = Literal["invoke", "ok", "fail", "info"]

CONTRACT = ("t", "process", "op", "type", "topic", "broker", "queue", "offset", "key", "error")
"""The fields that every line shown has; ``address`` and ``value`` come where they are known."""


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
        return encoded({**dict.fromkeys(CONTRACT), **self.fields()})

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
            parts.append(f',"value":{encoded(dict(self.value))}')
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


def encoded(fields: Mapping[str, object]) -> str:
    """Return fields as the JSON of a line."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)

"""What a process of the load is told, and what it says of itself at the end; both travel as JSON. PURE."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

STOP = b"stop\n"
"""What the run writes to a process's standard input for an orderly end."""

SUMMARY = b'{"summary":'
"""Begins the last line of the output, which is not of the history."""

CLIENT = b'{"client":'
"""Begins the first line of the output, which is not of the history: which client this is, and how it is set."""

NUMBER_OF_KEY = "([0-9]+)$"
"""A regular expression whose group is the number of a message, given its :func:`key`."""

Choice = Literal["round-robin", "by-key"]
Source = Literal["master", "slave"]


@dataclass(frozen=True)
class ProducerSettings:
    """One process that sends."""

    name: str
    """Its name in the history; begins with ``producer-``."""
    prefix: str
    """Begins its keys."""
    epoch: float
    """What ``t`` counts from, by ``CLOCK_MONOTONIC``."""
    topic: str
    nameservers: tuple[str, ...]
    rate: float
    """Messages per second; 0 for as fast as it can with ``in_flight`` sends under way."""
    size: int
    """Bytes of a body."""
    in_flight: int = 16
    choice: Choice = "round-robin"
    keys: int = 0
    """So many keys the messages have by turns (:func:`shared_key`); 0 where each has one of its own."""
    timeout: float = 3.0
    """Seconds for a broker's answer; the official client's default (``sendMsgTimeout``)."""
    ahead: bool = False
    """Write each ``invoke`` before the message leaves, and not within some milliseconds: so that what a process
    that may be killed has sent is on record."""
    lead: float = 0.0
    """Seconds by which it begins late, so that the processes do not all send at once."""


@dataclass(frozen=True)
class ConsumerSettings:
    """One process that receives."""

    name: str
    """Its name in the history; begins with ``consumer-``."""
    epoch: float
    topic: str
    group: str
    """The consumer group that it is a member of; a native one is of none."""
    nameservers: tuple[str, ...]
    groups: tuple[str, ...]
    """The broker groups."""
    queues: int
    """Queues of the topic on each group."""
    unelecting: tuple[str, ...] = ()
    """Those of the groups whose slaves are read while they have no master, as the official client reads them."""
    source: Source | None = None
    """Whom it reads first, and the other one where there is none; then it says of each message who gave it. None
    is ``master`` and says nothing."""


@dataclass(frozen=True)
class ProcessSummary:
    """How a process kept to its schedule; times are milliseconds."""

    name: str
    sends: int = 0
    skipped: int = 0
    """Sends left out because too many were unanswered."""
    receives: int = 0
    lateness_p50: float = 0.0
    lateness_p99: float = 0.0
    lateness_max: float = 0.0
    """How late a send left, measured from the moment when it was due."""
    lines: int = 0
    """Of the history, that it wrote before this."""

    def line(self) -> bytes:
        """Return the last line of the output, newline excluded."""
        return SUMMARY + json.dumps(asdict(self), separators=(",", ":")).encode() + b"}"


def write(settings: ProducerSettings | ConsumerSettings) -> str:
    """Return settings as the argument of a process."""
    role = "producer" if isinstance(settings, ProducerSettings) else "consumer"
    return json.dumps({"role": role, **asdict(settings)})


def read(argument: str) -> ProducerSettings | ConsumerSettings:
    """Return the settings of a process from its argument.

    Raises:
        TypeError: they are not complete.
    """
    fields = json.loads(argument)
    role = fields.pop("role")
    for name in ("nameservers", "groups", "unelecting"):
        if name in fields:
            fields[name] = tuple(fields[name])
    return ProducerSettings(**fields) if role == "producer" else ConsumerSettings(**fields)


def read_client(line: bytes) -> dict[str, str]:
    """Return what a process says of its client in its first line: ``driver``, ``version``, and settings."""
    return {str(name): str(value) for name, value in json.loads(line)["client"].items()}


def read_summary(line: bytes) -> ProcessSummary:
    """Return the summary of a process from its last line."""
    return ProcessSummary(**json.loads(line)["summary"])


def key(prefix: str, number: int) -> str:
    """Return the key of a producer's message; unique in a run because the prefix is."""
    return f"{prefix}-{number:08d}"


def shared_key(number: int, keys: int) -> str:
    """Return the key of a producer's message that others have, too: the same for message n of every producer."""
    return f"key-{number % keys}"


def body(key: str, size: int) -> bytes:
    """Return a body that begins with its key and has ``size`` bytes."""
    return f"{key} ".encode().ljust(size, b".")


def key_of(body: bytes) -> str:
    """Return the key that a body begins with."""
    return body.split(b" ", 1)[0].decode(errors="replace")

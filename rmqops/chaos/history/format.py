"""The format of ``history.jsonl``: the file, its fields and their types, its words, the names of processes. PURE.

Whoever writes, reads or judges a history takes these from here: the recorder, the read-back, the load's clients,
the tables of DuckDB, the checks and the report. The Java client's spelling is held to it by a test.

The file has one JSON object a line, in order of ``t``. A line leaves out what is null. What one answer brought to
a read-back is one line, a :class:`~rmqops.chaos.history.batches.Batch`: ``offset`` is that of the first message,
and ``keys`` stands in the place of ``key``. ``rmqops chaos history`` prints each event on a line of its own, with
every field.

Conventions beyond the field list (:data:`FIELDS`), which the checks rely on:

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
    A native consumer that asked a master, which then had nothing at that offset all the while that it held the
    question, writes ``info``: ``offset`` is where it asked, and ``value`` says when, ``{"asked": "12.25"}``.
``probe``
    One message that the run itself offers to a living member while its master is dead, by a process named
    ``writer-<phase>-<instance>``: ``fail`` when it was refused, as it must be, ``ok`` when it was taken, ``info``
    when that is not known.
``route``
    What one NameServer answers, the process being that NameServer's instance name: ``ok`` with ``broker`` (the
    group) and ``value``, a map of broker id to address (``{"0": "127.0.0.1:10911", …}``; empty when the group is
    not in the route), or ``fail`` with ``error``. Sampled every 20 ms; written when it changes and once a second.
``committed``
    How far a consumer group of the load has committed, as one member of the group ``broker`` says: the process is
    that member's instance name, ``ok`` with the ``topic``, the consumer group as ``key``, and ``value``, a map of
    queue to the offset that is read next (``{"0": "17", …}``; 0 where nothing is committed), or ``fail`` with
    ``error``. Slaves are asked, too: they have what they last took over from their master. Sampled every 250 ms;
    written when it changes and once a second. Where no consumer commits, there is none.
``leader``
    That the member ``process`` of the group ``broker`` has been its leader in a term, as its own log says:
    ``ok`` with ``value``, ``{"term": "3"}``, once for each term, or ``fail`` with ``error`` when the log could
    not be read. Written after the drill, so ``t`` is not when it led.
``run``
    What the run says of itself (``history.run_record``), by the process ``rmqops``: ``invoke`` first of all, with
    the bounds of the checks, the checks that are due, and what each consumer reads in ``value``; last of all
    ``ok``, or ``fail`` with the reason when it was cut short.
    By a process of the load, once it has ended in order: ``ok``, with ``value``,
    ``{"lines": "1234"}``, the lines that it wrote.
``fault`` and ``heal``
    By the process ``nemesis``: ``invoke`` before the act, ``ok`` when its effect is verified, ``fail`` or ``info``
    when it is not. ``key`` is the kind of fault, ``value`` says
    ``{"target": "master", "instance": name, "address": address}``. A heal has its fault's ``key`` and ``value``.
    ``heal`` with the key ``recovered`` is ``ok`` when the cluster was healthy again and ``fail`` when it was not
    in the time given.

This module travels to the hosts that the load's native client runs on (``load.hosts.files.native``), so it needs
nothing but what travels with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, cast, get_args

from rmqops.model.history import Op, Type
from rmqops.model.roles import MASTER_ID

FILE: Final = "history.jsonl"
"""In a run's directory."""

OPS: Final[tuple[str, ...]] = get_args(Op)
TYPES: Final[tuple[str, ...]] = get_args(Type)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a line."""

    json: type
    """Its type as ``json`` reads it; ``float`` may be written as a whole number."""
    column: str
    """DuckDB's type of the column that it becomes."""


FIELDS: Final[Mapping[str, Field]] = {
    "t": Field(float, "DOUBLE"),
    "process": Field(str, "VARCHAR"),
    "op": Field(str, "VARCHAR"),
    "type": Field(str, "VARCHAR"),
    "topic": Field(str, "VARCHAR"),
    "broker": Field(str, "VARCHAR"),
    "queue": Field(int, "INTEGER"),
    "offset": Field(int, "BIGINT"),
    "key": Field(str, "VARCHAR"),
    "error": Field(str, "VARCHAR"),
    "address": Field(str, "VARCHAR"),
    "value": Field(dict, "VARCHAR"),
    "keys": Field(list, "VARCHAR[]"),
}
"""The fields in their order: those of an :class:`~rmqops.model.history.Event`, and ``keys`` of a batch. ``value``
is a column of JSON text unless a reader asks for another type."""

OBLIGATORY: Final = ("t", "process", "op", "type")
"""Every line begins with these, in this order; the others may be null."""

LARGEST_OFFSET: Final = (1 << 32) - 1
"""An offset must fit into 32 bits: a queue of more messages is longer than a drill can make it."""

LONGEST_RUN: Final = 1 << 40
"""Seconds; ``t`` becomes microseconds in 64 bits."""

LONGEST_LINE: Final = 1 << 20
"""In bytes; DuckDB's buffers are twice this for each thread."""

OTHER, INVOKED, ACKNOWLEDGED, REFUSED, INDETERMINATE, CONSUMED, DRAINED, MALFORMED = range(8)
"""What a line is, as one number (``event.code`` of ``history.tables``): a send's ``invoke``, ``ok``, ``fail`` or
``info``, a message that a consumer or a read-back has read, something rare, or no event."""

LOAD_LINE: Final = re.compile(
    rf'\{{"t":([\d.e+-]+),"process":"([^"]*)","op":"(send|receive)","type":"({"|".join(TYPES)})"'.encode()
)
"""The begin of a line that a process of the load writes: when, who, ``op`` and ``type``."""

NEMESIS: Final = "nemesis"
"""The process whose acts are faults and heals."""

RUN: Final = "rmqops"
"""The process that is the run itself: it says what was asked, and that it has ended."""

RECOVERED: Final = "recovered"
"""The key of the heal that is the cluster's own: it was healthy again."""

MASTER: Final = str(MASTER_ID)
"""The broker id of a master in the ``value`` of a route."""

TARGET, INSTANCE, ADDRESS, PHASE, EXPECTS = "target", "instance", "address", "phase", "expects"
"""In the ``value`` of a fault and of its heal: whom it means in the drill's word, by name and by address, the
number of its phase, and what that phase expects of the service."""
MEMBERS: Final = "members"
"""In the ``value`` of a consumer's fault: the other members of its group, by name, with commas."""
TERM: Final = "term"
"""In the ``value`` of a leader's event."""
MASTER_ROLE: Final = "role"
"""In the ``value`` of a reader's ``invoke``: the role of the master that is dead."""
SERVED_BY: Final = "from"
"""In the ``value`` of a consumer's ``ok``, where it may read slaves: as what the address was asked."""
ASKED: Final = "asked"
"""In the ``value`` of a consumer's ``info``: when it asked, seconds since the start."""
ATTEMPTS: Final = "attempts"
"""In the ``value`` of a send's outcome: how often the client sent it by itself, if more than once."""

DRAIN: Final = "drain-"
"""Begins the name of a process that reads back; the member's name follows."""


def instance_read_by(process: str) -> str:
    """Return the member that a process read back, or the process where it is no read-back."""
    return process.removeprefix(DRAIN)


def reader_prefix(phase: int) -> str:
    """Return what begins the name of a process that reads a living member while its master is dead."""
    return f"reader-{phase}-"


def writer_prefix(phase: int) -> str:
    """Return what begins the name of a process that offers a message to such a member."""
    return f"writer-{phase}-"


ClientRole = Literal["producer", "consumer"]

CONSUMER: Final = "consumer-"
"""Begins the name of a process that receives while the drill runs."""

_CLIENT_NAME = re.compile(r"(producer|consumer)-(\d+)(?:-(\d+))?(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class ClientName:
    """The name of a process of the load: ``consumer-2``, ``consumer-2-3`` in its third life.

    Whoever takes the place of a killed process has a name of its own, because it may read again what the dead one
    had not committed. For the same reason a queue that a member of a group is given again is read under a name of
    its own (``Receiver.java``): ``consumer-2.4`` is ``consumer-2`` with a queue that it has for the fourth time.
    """

    role: ClientRole
    number: int
    life: int = 1
    turn: int = 1

    @classmethod
    def parse(cls, text: str) -> ClientName | None:
        """Read a name; None when it is that of something else."""
        match = _CLIENT_NAME.fullmatch(text)
        if match is None:
            return None
        role = cast(ClientRole, match[1])
        return cls(role, int(match[2]), *(int(number or 1) for number in match.groups()[2:]))

    def __str__(self) -> str:
        life = f"-{self.life}" if self.life > 1 else ""
        return f"{self.role}-{self.number}{life}" + (f".{self.turn}" if self.turn > 1 else "")

    @property
    def process(self) -> ClientName:
        """The name of the process itself, whatever queue it reads."""
        return replace(self, turn=1)

    @property
    def place(self) -> ClientName:
        """The name of its first life, whose place it has taken."""
        return replace(self, life=1, turn=1)

    @property
    def successor(self) -> ClientName:
        """The name of the next life in its place."""
        return replace(self, life=self.life + 1, turn=1)

    @property
    def key_prefix(self) -> str:
        """What begins the keys of its messages, which no other process has."""
        return f"p{self.number}" + (f"-{self.life}" if self.life > 1 else "")

    def is_meant_by(self, target: str) -> bool:
        """Tell whether a drill's target means it: by role, or by the name of its place, whatever life it is in."""
        return target in (self.role, str(self.place))


def columns(names: Iterable[str] = tuple(FIELDS), **types: str) -> str:
    """Return fields as DuckDB's ``read_json`` wants its columns: names and types, with commas.

    Args:
        names: The fields that are read.
        types: Other types than their own, by name.
    """
    return ", ".join(f"\"{name}\": '{types.get(name, FIELDS[name].column)}'" for name in names)


def words(values: Iterable[str]) -> str:
    """Return words as a list of SQL, without its parentheses."""
    return ", ".join(f"'{value}'" for value in values)

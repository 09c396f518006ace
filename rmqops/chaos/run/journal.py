"""The journal of a run, ``journal.jsonl``: what is about to be done, on disk before it is done.

Each act has two lines: ``intent``, with the exact command, before it, and ``done`` or ``failed`` after it. So
after ``kill -9`` of rmqops at any moment the journal names everything that may be in force.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self, get_args

from rmqops.errors import OperationFailed, UsageError
from rmqops.system import files

FILE = "journal.jsonl"
DRILL = "drill.yml"
"""Beside it: the drill as it was run, the command line's changes included."""

JournalStep = Literal[
    "run", "topic", "untopic", "heal-plan", "arm", "inject", "verify", "heal", "healed", "disarm"
]
JournalState = Literal["intent", "done", "failed"]


@dataclass(frozen=True)
class JournalEntry:
    """One line.

    ``step`` is ``run`` at a drill's start, ``topic`` and ``untopic`` when its topic is made and deleted (``note``
    is the topic), ``heal-plan`` for the command that ends a fault, written before anything else of it, and then
    the steps of the fault in their order.
    """

    step: JournalStep
    state: JournalState
    fault: str | None = None
    """The fault's id."""
    kind: str | None = None
    instance: str | None = None
    command: tuple[str, ...] | None = None
    """What is to be run, as argv."""
    machine: str | None = None
    """Where the instance was when its fault was planned; in a ``heal-plan``."""
    note: str | None = None
    """What came of it, or what it is about."""
    time: str = ""
    """UTC, ISO 8601; set by the journal."""


class Journal:
    """An open journal; only ever appended to."""

    def __init__(self, run: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = run / FILE
        self._now = now
        _drop_torn_line(self.path)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        files.make_private(self._descriptor)
        _sync_directory(run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, entry: JournalEntry) -> None:
        """Append an entry; it is on disk when this returns.

        Raises:
            OperationFailed: it could not be written; then the act must not be done.
        """
        document = {key: value for key, value in asdict(entry).items() if value is not None}
        document["time"] = self._now().isoformat()
        line = memoryview(f"{json.dumps(document, ensure_ascii=False)}\n".encode())
        before = os.fstat(self._descriptor).st_size
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):  # the half of a line would spoil the next one
                os.ftruncate(self._descriptor, before)
            raise OperationFailed(
                f"{self.path} cannot be written: {error}", remedy="make room on its disk"
            ) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read(run: Path) -> tuple[JournalEntry, ...]:
    """Return the entries of a run's journal; a torn last line, left by a sudden death, is none.

    Raises:
        UsageError: the run has no journal.
        OperationFailed: a line other than the last is no entry.
    """
    path = run / FILE
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise UsageError(
            f"{run} has no journal: {error.strerror}", remedy="name the directory of a run"
        ) from error
    entries = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            entries.append(_parse(line))
        except ValueError as error:
            raise OperationFailed(
                f"{path}, line {number} is no entry of a journal: {error}",
                remedy="heal from the hosts alone: rmqops chaos heal without the run",
            ) from error
    return tuple(entries)


def _parse(line: str) -> JournalEntry:
    try:
        document = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(document, dict) or not set(document) <= {field.name for field in fields(JournalEntry)}:
        raise ValueError("not an object with the fields of an entry")
    if document.get("step") not in get_args(JournalStep) or document.get("state") not in get_args(JournalState):
        raise ValueError(f"step {document.get('step')!r}, state {document.get('state')!r}")
    command = document.pop("command", None)
    if command is not None and not (isinstance(command, list) and all(isinstance(part, str) for part in command)):
        raise ValueError("command is not a list of texts")
    for name, value in document.items():
        if not isinstance(value, str):
            raise ValueError(f"{name} is not a text")
        value.encode()  # a lone surrogate is no text
    return JournalEntry(**document, command=tuple(command) if command is not None else None)


def _drop_torn_line(path: Path) -> None:
    """Cut off what a sudden death left half written, so that the next entry begins a line."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

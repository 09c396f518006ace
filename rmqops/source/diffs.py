"""Unified diffs, applied without a program: neither ``patch`` nor ``git`` is on every machine that builds.

A hunk belongs where its lines are, not where its numbers say: they must stand in the file exactly once, behind the
hunk before. So one diff fits releases whose files differ elsewhere, and what is not understood is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from rmqops.errors import SourceError

_HUNK: Final = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_NOWHERE: Final = b"/dev/null"


@dataclass(frozen=True)
class Hunk:
    """One change, as lines with their ends."""

    line: int
    """Where it stood in the file it was made from; for people."""
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]


@dataclass(frozen=True)
class FileChange:
    """What a diff does to one file."""

    path: PurePosixPath
    creates: bool
    """Whether the file must not be there yet."""
    hunks: tuple[Hunk, ...]


class DoesNotApply(SourceError):
    """A diff does not fit a file; ``path`` is the file's, as the diff names it."""

    def __init__(self, path: PurePosixPath, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def parse(text: bytes) -> tuple[FileChange, ...]:
    """Read a unified diff; what stands before its first ``---`` line is passed over.

    Raises:
        ValueError: it is none, or names a file outside of the directory it is applied in.
    """
    lines = text.splitlines(keepends=True)
    changes: list[FileChange] = []
    at = _next_file(lines, 0)
    if at == len(lines):
        raise ValueError("it changes no file")
    while at < len(lines):
        change, at = _file_change(lines, at)
        if change.path in [other.path for other in changes]:
            raise ValueError(f"it changes {change.path} twice")
        changes.append(change)
        at = _next_file(lines, at)
    return tuple(changes)


def apply(changes: tuple[FileChange, ...], directory: Path) -> None:
    """Change the files below a directory: all of them, or none when one does not fit.

    Raises:
        DoesNotApply: a file is missing, is there already, or is not as the diff expects it.
    """
    results = {directory / change.path: _changed(change, directory / change.path) for change in changes}
    for path, content in results.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _next_file(lines: list[bytes], start: int) -> int:
    for at in range(start, len(lines) - 1):
        if lines[at].startswith(b"--- ") and lines[at + 1].startswith(b"+++ "):
            return at
    return len(lines)


def _file_change(lines: list[bytes], at: int) -> tuple[FileChange, int]:
    old, new = (lines[at + side][4:].split(b"\t")[0].strip() for side in (0, 1))
    if new == _NOWHERE:
        raise ValueError("it removes a file")
    path = PurePosixPath(new.decode().partition("/")[2])
    if not new.startswith(b"b/") or path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{new.decode()} is not a file below the directory")
    at += 2
    hunks: list[Hunk] = []
    while at < len(lines) and (head := _HUNK.match(lines[at])):
        hunk, at = _hunk(lines, at + 1, int(head[1]), int(head[2] or 1), int(head[3] or 1))
        hunks.append(hunk)
    if not hunks:
        raise ValueError(f"it changes nothing in {path}")
    return FileChange(path, old == _NOWHERE, tuple(hunks)), at


def _hunk(lines: list[bytes], at: int, line: int, old: int, new: int) -> tuple[Hunk, int]:
    before: list[bytes] = []
    after: list[bytes] = []
    while len(before) < old or len(after) < new:
        # An empty line that did not change lost its blank in many an editor; patch takes that, too.
        text = lines[at] if at < len(lines) else b""
        sign, rest = (b" ", text) if text == b"\n" else (text[:1], text[1:])
        if sign not in (b" ", b"-", b"+"):
            raise ValueError(f"its hunk of line {line} is not as long as it says")
        if sign != b"+":
            before.append(rest)
        if sign != b"-":
            after.append(rest)
        at += 1
    return Hunk(line, tuple(before), tuple(after)), at


def _changed(change: FileChange, path: Path) -> bytes:
    if change.creates:
        if path.exists():
            raise DoesNotApply(change.path, "it is there already")
        return b"".join(change.hunks[0].after)
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError as error:
        raise DoesNotApply(change.path, "it is not there") from error
    done: list[bytes] = []
    for hunk in change.hunks:
        places = list(_places(lines, hunk.before))
        if len(places) != 1:
            count = f"{len(places)} times" if places else "nowhere"
            raise DoesNotApply(change.path, f"what its hunk of line {hunk.line} changes stands {count} in it")
        done += [*lines[: places[0]], *hunk.after]
        lines = lines[places[0] + len(hunk.before) :]
    return b"".join([*done, *lines])


def _places(lines: list[bytes], block: tuple[bytes, ...]) -> Iterator[int]:
    return (at for at in range(len(lines) - len(block) + 1) if tuple(lines[at : at + len(block)]) == block)

"""All terminal output: results on standard output, messages and progress on standard error.

Texts of others (names of topics, groups and clients, remarks, logs, hosts' output) come through here and nowhere
else, and here they are shown, never obeyed: no text is markup, and what does not print (control characters, escape
sequences, marks that turn the direction of writing, lone surrogates) is written as its escape sequence. JSON is
ASCII, so that it is JSON in every encoding, with the exact text in it.

Rich is imported when something is drawn, so that ``status --json`` does not pay for it.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from rmqops.cli import standard_streams
from rmqops.errors import OperationFailed, RmqopsError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

type_json = Mapping[str, object] | Sequence[object]

_WIDTH: Final = 200
"""Columns of a table off a terminal: it must not be cut to 80, since a log or a pipe has no width."""
_NOT_ASCII: Final = r"[^\n\x20-\x7e]"


class ReaderGone(Exception):
    """Nobody reads the answer any more, such as when head has its lines; what follows would be for nobody."""


class Styled(NamedTuple):
    """A table's cell in a style of rich."""

    text: str
    style: str


Cell = str | Styled | list[str]
"""Of a table; a list is its lines."""


def shown(text: str, keep: str = "") -> str:
    """Return a text as a terminal may have it: what does not print as an escape sequence of Python.

    Args:
        text: Anybody's text.
        keep: What is let through although it does not print, such as tabs.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode() for each in text
    )


def result(*lines: str) -> None:
    """Print the answer of a command; each text is one line, and a line break inside of it is shown, not made.

    A reader that has gone is no error: the command ends as it would have ended.

    Raises:
        OperationFailed: standard output took not all of it.
    """
    _write(sys.stdout, "".join(f"{shown(line, keep=chr(9))}\n" for line in lines))
    _complain()


def result_line(text: str) -> None:
    """Print one line of an answer that has no end of its own.

    Raises:
        ReaderGone: nobody reads it; the command ends.
        OperationFailed: standard output did not take it.
    """
    result(text)
    if isinstance(standard_streams.failure(sys.stdout), BrokenPipeError):
        raise ReaderGone


def result_json(value: type_json) -> None:
    """Print the answer of a command as JSON.

    Raises:
        OperationFailed: standard output took not all of it.
    """
    _write(sys.stdout, _ascii(json.dumps(value, indent=2)) + "\n")
    _complain()


def result_json_line(text: str) -> None:
    """Print a line of JSON as :func:`result_line` prints text.

    Raises:
        ReaderGone: nobody reads it; the command ends.
        OperationFailed: standard output did not take it.
    """
    result_line(_ascii(text))


def result_file(content: str) -> None:
    """Print a file: its very bytes, in UTF-8; to a terminal as lines of text.

    Raises:
        OperationFailed: standard output took not all of it.
    """
    binary: IO[bytes] | None = getattr(sys.stdout, "buffer", None)
    if binary is None or sys.stdout.isatty():
        result(*content.removesuffix("\n").split("\n"))
        return
    sys.stdout.flush()
    binary.write(content.encode("utf-8", "replace"))
    binary.flush()
    _complain()


def note(text: str) -> None:
    """Say something beside the answer; nobody may listen."""
    _write(sys.stderr, shown(text, keep="\t\n") + "\n")


def moving_line(text: str) -> None:
    """Put a line in the place of the last one, on a terminal."""
    _write(sys.stderr, f"\r\x1b[2K{shown(text)}")


def end_moving_line() -> None:
    """Take away the line that moves."""
    _write(sys.stderr, "\r\x1b[2K")


def error(problem: RmqopsError) -> None:
    """Print an error, its remedy and its evidence."""
    note(f"error: {problem.message}")
    if problem.detail:
        note(problem.detail)
    if problem.remedy:
        note(f"remedy: {problem.remedy}")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, stderr: bool = False) -> None:
    """Draw a table; each cell is text as it is, of one line."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    def cell(value: Cell) -> Text:
        if isinstance(value, Styled):
            return Text(shown(value.text), style=value.style)
        return Text("\n".join(map(shown, [value] if isinstance(value, str) else value)))

    drawn = Table(title=cell(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(cell(column), overflow="fold")
    for row in rows:
        drawn.add_row(*map(cell, row))
    draw(drawn, stderr=stderr)


def draw(*parts: RenderableType, stderr: bool = False) -> None:
    """Draw what was made with rich, as wide as the terminal is; texts of others in it went through :func:`shown`.

    Raises:
        OperationFailed: standard output took not all of it.
    """
    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    paper = _Paper(stream.encoding)
    made = console(paper, terminal=terminal)
    for part in parts:
        made.print(part, soft_wrap=not terminal)
    _write(stream, paper.getvalue())
    _complain()


def console(stream: IO[str], *, terminal: bool) -> Console:
    """Return a console of rich on a stream; no text is markup there, nor the name of a sign."""
    from rich.console import Console

    return Console(
        file=stream,
        force_terminal=terminal,
        width=None if terminal else _WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )


def confirm(question: str) -> bool:
    """Ask yes or no on the terminal; no when there is nobody to ask."""
    return ask(f"{question} [y/N]").lower() in {"y", "yes"}


def ask(question: str) -> str:
    """Ask for a line of text on the terminal; empty when there is nobody to ask."""
    if not sys.stdin.isatty():
        return ""
    _write(sys.stderr, f"{shown(question)} ")
    with suppress(OSError):  # a terminal that went away meanwhile
        return sys.stdin.readline().strip()
    return ""


class _Paper(io.StringIO):
    """What is drawn before it is written: rich asks for the encoding, and draws boxes that it has."""

    def __init__(self, encoding: str | None) -> None:
        super().__init__()
        self._encoding = encoding or "utf-8"

    @property
    def encoding(self) -> str:  # type: ignore[override]  # reading it is all that rich does
        """The encoding of the stream that it goes to."""
        return self._encoding


def _write(stream: IO[str], text: str) -> None:
    stream.write(text)
    stream.flush()


def _complain() -> None:
    """Raise an error if standard output took not all, unless its reader has gone."""
    failure = standard_streams.failure(sys.stdout)
    if failure is not None and not isinstance(failure, BrokenPipeError):
        raise OperationFailed(
            f"the answer is not whole, standard output took no more: {os.strerror(failure.errno or 0)}",
            remedy="make room where it goes, and ask again; what the command did is done",
        )


def _ascii(text: str) -> str:
    """Return JSON in plain ASCII: what is not, only strings can hold, and they can spell it otherwise."""
    return re.sub(_NOT_ASCII, lambda found: json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f"), text)

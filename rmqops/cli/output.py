"""All terminal output: results on standard output, messages and progress on standard error.

Rich is imported when something is drawn, so that ``status --json`` does not pay for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rmqops.errors import RmqopsError

if TYPE_CHECKING:
    from rich.console import Console

type_json = Mapping[str, object] | Sequence[object]


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    # Off a terminal a table must not be cut to 80 columns: a log or a pipe has no width.
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, soft_wrap=not terminal, width=None if terminal else 200)


def result(text: str) -> None:
    """Print the answer of a command as it is."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result_json(value: type_json) -> None:
    """Print the answer of a command as JSON."""
    result(json.dumps(value, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """Say something beside the answer."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def error(problem: RmqopsError) -> None:
    """Print an error, its remedy and its evidence."""
    note(f"error: {problem.message}")
    if problem.detail:
        note(problem.detail)
    if problem.remedy:
        note(f"remedy: {problem.remedy}")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, stderr: bool = False) -> None:
    """Draw a table; a cell may hold rich markup."""
    from rich import box
    from rich.table import Table

    drawn = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    _console(stderr).print(drawn)


def confirm(question: str) -> bool:
    """Ask yes or no on the terminal; no when there is nobody to ask."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def ask(question: str) -> str:
    """Ask for a line of text on the terminal; empty when there is nobody to ask."""
    if not sys.stdin.isatty():
        return ""
    sys.stderr.write(f"{question} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()

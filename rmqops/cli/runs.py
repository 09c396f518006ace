"""Find the run of a drill that a command line names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmqops.errors import UsageError

RUNS = Path("runs")
"""Where drills put their runs unless told otherwise."""

Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's directory, or its name in ./runs.")]


def find_run(name: str) -> Path:
    """Return the directory of a run: a path that exists, else a name in ``./runs``.

    Raises:
        UsageError: there is none; the message names the latest runs that there are.
    """
    for candidate in (Path(name), RUNS / name):
        if candidate.is_dir():
            return candidate
    known = (
        sorted((entry.name for entry in RUNS.iterdir() if entry.is_dir()), reverse=True) if RUNS.is_dir() else []
    )
    there = f"name one of {', '.join(known[:5])}" if known else "run a drill first: rmqops chaos run"
    raise UsageError(f"there is no run {name} (looked at {Path(name)} and {RUNS / name})", remedy=there)

"""Progress of a build on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rmqops.cli import output
from rmqops.source.progress import Progress, ProgressListener

_WORDS: Final = {
    "wait": "",
    "fetch": "fetching ",
    "verify": "verifying ",
    "unpack": "unpacking ",
    "patch": "patching: ",
    "compile": "compiling ",
    "pack": "packing ",
    "runtime": "making ",
}


@contextmanager
def shown() -> Iterator[ProgressListener]:
    """Show progress while the block runs; yield the function that takes it."""
    if sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _lines()


def _sentence(progress: Progress) -> str:
    return f"{_WORDS[progress.stage]}{progress.message}"


def _lines() -> ProgressListener:
    last = ""

    def report(progress: Progress) -> None:
        nonlocal last
        text = _sentence(progress)
        if text == last:
            return
        last = text
        if progress.stage == "compile" and progress.done is not None:
            text = f"[{progress.done + 1}/{progress.total}] {text}"
        output.note(text)

    return report


@contextmanager
def _bar() -> Iterator[ProgressListener]:
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    bar = Bar(*columns, console=output.console(sys.stderr, terminal=True), transient=True)
    task = bar.add_task("", total=None)

    def report(progress: Progress) -> None:
        # Started by the first step: what is there already shows no bar.
        bar.start()
        bar.update(
            task, description=output.shown(_sentence(progress)), completed=progress.done or 0, total=progress.total
        )

    try:
        yield report
    finally:
        bar.stop()

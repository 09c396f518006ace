"""The reports of a run on disk, each whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rmqops.chaos.result import read_result
from rmqops.errors import OperationFailed

HTML = "report.html"
JUNIT = "junit.xml"


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where the reports of a run lie."""

    html: Path
    junit: Path


def write_reports(run_directory: Path) -> ReportPaths:
    """Write ``report.html`` and ``junit.xml`` of a run from its ``history.jsonl`` and ``result.json``.

    Writing them again replaces them. JUnit XML, which needs no history, is written first.

    Raises:
        UsageError: the run has no result or no history.
        OperationFailed: one of them cannot be read.
    """
    from rmqops.chaos.report import html, junit
    from rmqops.chaos.report.timeline import read_timeline

    result = read_result(run_directory)
    paths = ReportPaths(run_directory / HTML, run_directory / JUNIT)
    replace(paths.junit, junit.render(result))
    replace(paths.html, html.render(result, read_timeline(run_directory)))
    return paths


def replace(target: Path, text: str) -> None:
    """Write a file whole or not at all, in the place of one that is there.

    Raises:
        OperationFailed: it cannot be written.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace")
        partial.replace(target)
    except OSError as error:
        raise OperationFailed(
            f"{target} could not be written: {error.strerror or error}", remedy="name a file where one can be made"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)

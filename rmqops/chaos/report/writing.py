"""The reports of a run on disk, each whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rmqops.chaos.result import read_result

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
    _replace(paths.junit, junit.render(result))
    _replace(paths.html, html.render(result, read_timeline(run_directory)))
    return paths


def _replace(target: Path, text: str) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)

"""The reports of a run on disk, each whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rmqops.chaos.report.result_reading import read_result
from rmqops.system.files import write_whole

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
    write_whole(paths.junit, junit.render(result), mode=0o600)
    page = html.render(result, read_timeline(run_directory, result.verdicts.faults))
    write_whole(paths.html, page, mode=0o600)
    return paths

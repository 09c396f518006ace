"""``rmqops chaos compare``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from rmqops.cli import output
from rmqops.cli.options import Json


def command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs' directories, or names in ./runs.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page that shows them, as one file.")
    ] = None,
    json: Json = False,
) -> None:
    """Set runs side by side: verdicts, what was lost, times; and for each drill the least and the most RTO."""
    from dataclasses import asdict

    from rmqops.chaos.report import comparison, side_by_side, words, writing
    from rmqops.chaos.report.result_reading import read_result
    from rmqops.cli.runs import find_run
    from rmqops.system import files

    results = {str(directory): read_result(directory) for directory in map(find_run, runs)}
    rows, spreads = comparison.rows(results), comparison.spreads(results.values())
    if html is not None:
        reports = {run: Path(run, writing.HTML) for run in results if Path(run, writing.HTML).is_file()}
        links = {run: quote(os.path.relpath(report, html.parent)) for run, report in reports.items()}
        files.write_named(html, side_by_side.render(rows, spreads, links))
    if json:
        output.result_json(
            {"runs": [asdict(row) for row in rows], "drills": [asdict(spread) for spread in spreads]}
        )
        return
    output.table(
        "runs",
        [
            "run",
            "release",
            "client",
            "verdict",
            "not passed",
            "acknowledged",
            "lost",
            "RTO",
            "new master",
            "end to end p99",
        ],
        [
            (
                row.run.rsplit("/", 1)[-1],
                row.version or "?",
                row.driver or "?",
                row.verdict,
                ", ".join(row.not_passed),
                f"{row.acknowledged:,}",
                "?" if row.lost is None else f"{row.lost:,}",
                words.duration(row.rto_ms),
                words.duration(row.new_master_ms),
                words.duration(row.end_to_end_p99_ms),
            )
            for row in rows
        ],
    )
    output.table(
        "drills",
        ["drill", "client", "runs", "verdicts", "lost", "RTO least", "median", "most"],
        [
            (
                spread.drill,
                spread.driver or "?",
                str(spread.runs),
                ", ".join(f"{count} {word}" for word, count in spread.verdicts.items()),
                f"{spread.lost:,}",
                *(words.duration(value) for value in spread.rto_ms),
            )
            for spread in spreads
        ],
    )

"""One page for several runs: the RTO of each, by drill, and what every run came to. It runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from rmqops.chaos.report import html
from rmqops.chaos.report.comparison import RtoSpread, RunRow
from rmqops.chaos.verdicts.verdict import Verdict


def render(rows: Sequence[RunRow], spreads: Sequence[RtoSpread], reports: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        rows: The runs.
        spreads: The drills.
        reports: Where each run's own report is, as a link from this page; a run without one is left out.
    """
    style = html.asset("report.css")
    return (
        html.environment()
        .get_template("side_by_side.html.j2")
        .render(
            rows=rows,
            spreads=spreads,
            reports=reports,
            longest=max((row.rto_ms for row in rows if row.rto_ms is not None), default=0) or 1,
            verdict=Verdict,
            style=Markup(style),  # noqa: S704 - our own file
            policy=html.policy(style),
        )
    )

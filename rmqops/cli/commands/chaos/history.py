"""``rmqops chaos history``."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.cli.runs import Run, find_run


def command(run: Run) -> None:
    """Print a drill's events, one JSON object a line, each with every field of the contract."""
    from rmqops.chaos.history.format import FILE
    from rmqops.chaos.history.lines import events

    for event in events(find_run(run) / FILE):
        output.result_json_line(event.line())

"""``rmqops chaos history``."""

from __future__ import annotations

import os
import sys

from rmqops.cli import output
from rmqops.cli.runs import Run, find_run


def command(run: Run) -> None:
    """Print a drill's events, one JSON object a line, each with every field of the contract."""
    from rmqops.chaos.history.format import FILE
    from rmqops.chaos.history.lines import events

    try:
        for event in events(find_run(run) / FILE):
            output.result(event.line())
    except BrokenPipeError:
        # The reader has seen enough; Python must not try to flush to it on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

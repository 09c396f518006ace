"""Progress of an operation: one line that moves on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rmqops.cli import output
from rmqops.operations.change.playbook import PlaybookEvent


class StepDisplay:
    """Shows the step under way and what has changed on which host."""

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal
        self._started: float | None = None
        self._step = ""

    def say(self, text: str) -> None:
        """Show a new step."""
        if text == self._step:
            return
        self._step = text
        if self._terminal:
            output.moving_line(f"{self._clock()} {text}")
        else:
            output.note(f"{self._clock()} {text}")

    def listen(self, event: PlaybookEvent) -> None:
        """Show an event of a playbook."""
        if event.event == "task":
            self.say(event.task[:1].lower() + event.task[1:])
        elif event.status in {"failed", "unreachable"}:
            self._line(f"{event.host}: {event.status}")
        elif event.changed:
            self._line(f"{event.host}: {event.message.strip().splitlines()[-1] if event.message else event.task}")

    def _line(self, text: str) -> None:
        if self._terminal:
            output.end_moving_line()
        output.note(f"{self._clock()}   {text}")
        if self._terminal:
            output.moving_line(f"{self._clock()} {self._step}")

    def _clock(self) -> str:
        now = time.monotonic()
        if self._started is None:  # by the first step: a question before it may have taken an hour
            self._started = now
        return f"{now - self._started:6.1f} s "

    def finish(self) -> None:
        """Clear the moving line."""
        if self._terminal:
            output.end_moving_line()


@contextmanager
def steps() -> Iterator[StepDisplay]:
    """Show progress on standard error while a block runs."""
    display = StepDisplay(sys.stderr.isatty())
    try:
        yield display
    finally:
        display.finish()

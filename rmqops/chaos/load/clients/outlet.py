"""Where a process of the load writes its history: standard output, in whole lines, every 20 ms."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from dataclasses import replace

from rmqops.chaos.load.clients.settings import CLIENT, STOP, ProcessSummary
from rmqops.model.history import Event

FLUSH = 0.02
"""Seconds that a line waits for others at most."""

PIPE = 1 << 20
"""Bytes that the pipe takes while the run is busy: ten seconds at 500 messages a second."""


class Outlet:
    """Collects lines and writes them; the writing blocks if the run does not read, which lateness then shows."""

    def __init__(self, epoch: float, descriptor: int = 1) -> None:
        self._epoch = epoch
        self._descriptor = descriptor
        self._lines: list[bytes] = []
        self._count = 0
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # the limit for pipes without privileges may be lower
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE)

    def now(self) -> float:
        """Return seconds since the run's start; the loop's clock is ``CLOCK_MONOTONIC``."""
        return self._loop.time() - self._epoch

    def event(self, event: Event) -> None:
        """Take one event."""
        self._lines.append(event.record().encode())
        self._count += 1
        if len(self._lines) == 1:
            self._loop.call_later(FLUSH, self.flush)

    def client(self, **facts: str) -> None:
        """Say which client this is and how it is set, in a line before any other."""
        self._write(CLIENT + json.dumps(facts).encode() + b"}\n")

    def flush(self) -> None:
        """Write what was collected."""
        lines, self._lines = self._lines, []
        if lines:
            self._write(b"\n".join(lines) + b"\n")

    def finish(self, summary: ProcessSummary) -> None:
        """Write what was collected, and the summary with the number of all lines."""
        self.flush()
        self._write(replace(summary, lines=self._count).line() + b"\n")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]


def orders(stop: asyncio.Event, silence: int = 0, descriptor: int = 0) -> None:
    """Set ``stop`` when the run says so; end this process at once when the run is gone.

    A run on another machine sends an empty line every few seconds, too: when none has come for ``silence``
    seconds, the way to it is cut without a word. 0 where the run sends no empty lines.
    """
    loop = asyncio.get_running_loop()
    heard = loop.time()

    def take() -> None:
        nonlocal heard
        heard = loop.time()
        data = os.read(descriptor, 4096)
        if not data:
            os._exit(1)
        if STOP.strip() in data:
            stop.set()

    def end_after_silence() -> None:
        if loop.time() - heard > silence:
            os._exit(1)
        loop.call_later(0.5, end_after_silence)

    loop.add_reader(descriptor, take)
    if silence:
        end_after_silence()

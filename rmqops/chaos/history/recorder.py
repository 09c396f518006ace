"""Write ``history.jsonl``: whole lines, as they happen, in order of time as far as they come in it."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from rmqops.chaos.history.batches import Batch
from rmqops.chaos.history.format import FILE
from rmqops.errors import OperationFailed
from rmqops.model.history import Event
from rmqops.system import files

FLUSH = 0.1
"""Seconds after which a line is on its way to disk at the latest; see :meth:`Recorder.flush`."""

HOLD = 0.06
"""Seconds that a line is held back, so that one that comes later from another process can go before it."""


class Recorder:
    """The history of one run.

    Processes that send and receive hand in their lines in batches, so lines come a little out of order. Each is
    held for :data:`HOLD` seconds and written in order of its ``t``. One that comes later still is written then.

    Args:
        run: The run's directory.
        clock: Seconds, monotonic, the same for all processes of the machine (``CLOCK_MONOTONIC``).
    """

    def __init__(self, run: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = run / FILE
        self._clock = clock
        self.epoch = clock()
        """The moment that ``t`` counts from, by the clock."""
        self._file = files.append_private(self.path)
        self._held: list[tuple[float, int, bytes]] = []
        self._count = 0
        self._failed = False
        """A line may be torn, and must stay the last one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def now(self) -> float:
        """Return seconds since the start."""
        return self._clock() - self.epoch

    def event(self, event: Event | Batch) -> None:
        """Take an event of this process."""
        self.line(event.t, event.record().encode())

    def line(self, t: float, line: bytes) -> None:
        """Take a line of another process, newline excluded."""
        self._count += 1
        heapq.heappush(self._held, (t, self._count, line))

    def flush(self, *, everything: bool = False) -> None:
        """Write what was held long enough, or ``everything``; see :meth:`keep_flushing`.

        Raises:
            OperationFailed: the disk does not take it.
        """
        ripe = float("inf") if everything else self.now() - HOLD
        lines = []
        while self._held and self._held[0][0] <= ripe:
            lines.append(heapq.heappop(self._held)[2])
        if not lines or self._failed:
            return
        data = memoryview(b"\n".join([*lines, b""]))
        try:
            while data:
                data = data[self._file.write(data) or 0 :]
        except OSError as error:
            self._failed = True
            raise OperationFailed(
                f"{self.path} cannot be written: {error}", remedy="make room on its disk"
            ) from error

    async def keep_flushing(self) -> None:
        """Write what is ripe until cancelled.

        Raises:
            OperationFailed: the disk does not take it.
        """
        while True:
            self.flush()
            await asyncio.sleep(FLUSH - HOLD)

    def close(self) -> None:
        """Write all that is left and close."""
        try:
            self.flush(everything=True)
        finally:
            self._file.close()

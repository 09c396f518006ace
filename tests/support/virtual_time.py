"""An event loop whose clock stands still while anybody works, and jumps to the next timer when all wait.

A drill of a minute so takes what its work takes, and the same time-outs pass in the same order on a busy machine.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple, Unpack

STUCK_AFTER = 20.0
"""Real seconds without a timer, a thread that ends or a signal, after which a test has hung itself up."""

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class Clock:
    """Seconds; what ``time.monotonic`` is to a real loop."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def run(self, coroutine: Coroutine[object, object, _T]) -> _T:
        """Run a coroutine to its end in a loop of its own that goes by this clock."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(coroutine)


class _Selector(selectors.DefaultSelector):
    """Waits for descriptors, but not for time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.threads = 0
        """Calls that are under way in threads: time stands still for them."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; where that is nothing, it is later."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self.threads:
            ready = super().select(STUCK_AFTER)
            assert ready, "nobody works and nobody waits for a time"
            return ready
        self._clock.advance(timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting = _Selector(clock)
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._clock()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[_Ts]], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        self._waiting.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _future: asyncio.Future[_T]) -> None:
        self._waiting.threads -= 1

"""Many things side by side, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

AT_ONCE = 32
"""Hosts that are asked at once: their answers are what takes time, not our processors."""


def each(tasks: Iterable[Callable[[], T]], at_once: int = AT_ONCE) -> list[T]:
    """Run tasks side by side and return their results in order.

    When one fails, or Ctrl-C comes, those not begun are dropped and those under way are waited for.
    """
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def mapped(function: Callable[[S], T], items: Iterable[S], at_once: int = AT_ONCE) -> list[T]:
    """Return the function's results for all items, in order; as in :func:`each` when one fails."""
    return each([lambda item=item: function(item) for item in items], at_once)  # type: ignore[misc]

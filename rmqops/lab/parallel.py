"""Things done to many hosts side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")


def each(tasks: Iterable[Callable[[], T]], at_once: int) -> list[T]:
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

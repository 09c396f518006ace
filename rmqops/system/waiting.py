"""Wait until a condition holds, or say what was seen last; and wait for what must not be cut in two."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rmqops.errors import OperationFailed, RemotingError

INTERVAL = 0.1

_T = TypeVar("_T")


async def until(
    what: str, look: Callable[[], Awaitable[str | None]], seconds: float, *, interval: float = INTERVAL
) -> None:
    """Look until there is nothing in the way any more.

    Args:
        what: What is waited for, for the message.
        look: Returns what is in the way, or None. A :class:`~rmqops.errors.RemotingError` is in the way, too.
        seconds: The bound.
        interval: Seconds between two looks.

    Raises:
        OperationFailed: the bound has passed; with what was seen last.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            seen = await look()
        except RemotingError as error:
            seen = str(error)
        if seen is None:
            return
        if loop.time() >= end:
            raise OperationFailed(f"{what}: not within {seconds:g} s; last seen: {seen}")
        await asyncio.sleep(interval)


def until_sync(what: str, look: Callable[[], str | None], seconds: float, *, interval: float = INTERVAL) -> None:
    """Look until there is nothing in the way any more; :func:`until` for code that is no coroutine.

    Raises:
        OperationFailed: the bound has passed; with what was seen last.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            seen = look()
        except RemotingError as error:
            seen = str(error)
        if seen is None:
            return
        if time.monotonic() >= end:
            raise OperationFailed(f"{what}: not within {seconds:g} s; last seen: {seen}")
        time.sleep(interval)


async def to_end(call: Callable[[], _T]) -> _T:
    """Run a blocking call in a thread; a cancellation waits until it has ended, so that nothing is half done."""
    thread = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise

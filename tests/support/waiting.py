"""Wait until a condition holds, as every test does it: until a time, and with what was seen last."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from rmqops.errors import RemotingError

INTERVAL = 0.05
"""Seconds between two looks."""

_T = TypeVar("_T")


def until(
    look: Callable[[], _T],
    what: str,
    seconds: float = 60,
    *,
    good: Callable[[_T], object] = bool,
    interval: float = INTERVAL,
) -> _T:
    """Look until what is seen is good, by default true, and return it.

    Fails with what was seen last once the time is over.
    """
    end = time.monotonic() + seconds
    while not good(seen := look()):
        if time.monotonic() >= end:
            pytest.fail(f"{what}: not within {seconds:g} s; last seen: {seen!r}")
        time.sleep(interval)
    return seen


def until_equal(
    look: Callable[[], object], expected: object, what: str, seconds: float = 60, *, interval: float = INTERVAL
) -> None:
    """Look until what is seen is what is expected."""
    until(look, f"{what} ({expected!r})", seconds, good=lambda seen: seen == expected, interval=interval)


async def until_async(
    look: Callable[[], Awaitable[bool]], what: str, seconds: float = 60, *, interval: float = INTERVAL
) -> None:
    """Look until it is true, where a :class:`~rmqops.errors.RemotingError` counts as not yet."""
    last: object = False
    end = time.monotonic() + seconds
    while True:
        try:
            if await look():
                return
            last = False
        except RemotingError as error:
            last = error
        if time.monotonic() >= end:
            pytest.fail(f"{what}: not within {seconds:g} s; last seen: {last}")
        await asyncio.sleep(interval)


def until_line(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read the messages of a process until a line holds a text; return the lines, that one included."""
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"it never said {text!r}: {''.join(lines)}")

"""Ctrl-C, in whatever form it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from rmqops.system import event_loop
from rmqops.system.interruption import is_interruption


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyboardInterrupt(), True),
        (asyncio.CancelledError(), True),
        (SystemExit(), False),
        (TimeoutError(), False),
    ],
)
def test_what_counts_as_one(error: BaseException, expected: bool) -> None:
    assert is_interruption(error) is expected


async def cancelled() -> None:
    raise asyncio.CancelledError


async def interrupted() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("make", [cancelled, interrupted])
def test_a_coroutine_that_is_ended_by_it_raises_what_python_raises_elsewhere(make: Any) -> None:
    coroutine: Coroutine[object, object, None] = make()
    with pytest.raises(KeyboardInterrupt):
        event_loop.run(coroutine)


def test_a_result_and_an_error_come_through() -> None:
    async def answer() -> int:
        return 7

    async def fail() -> int:
        raise ZeroDivisionError

    assert event_loop.run(answer()) == 7
    with pytest.raises(ZeroDivisionError):
        event_loop.run(fail())

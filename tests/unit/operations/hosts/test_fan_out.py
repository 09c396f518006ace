"""Many questions at once: answers, failures, and what is neither."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from rmqops.errors import ConnectFailed
from rmqops.operations.hosts.fan_out import ask


async def answer(value: int) -> int:
    return value


async def fail(error: Exception) -> int:
    raise error


async def test_who_gave_no_answer_is_kept_apart() -> None:
    refused = ConnectFailed("nobody listens there")
    questions: dict[str, Awaitable[int]] = {"a": answer(1), "b": fail(refused), "c": answer(3)}
    assert await ask(questions) == ({"a": 1, "c": 3}, {"b": refused})


async def test_an_error_that_is_no_answer_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await ask({"a": answer(1), "b": fail(ZeroDivisionError())})


async def test_nothing_asked_is_nothing_answered() -> None:
    nothing: dict[str, Awaitable[int]] = {}
    assert await ask(nothing) == ({}, {})

"""Put many questions at once, and keep those apart that got no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from rmqops.errors import RemotingError

_K = TypeVar("_K")
_T = TypeVar("_T")


async def ask(questions: Mapping[_K, Awaitable[_T]]) -> tuple[dict[_K, _T], dict[_K, RemotingError]]:
    """Return the answers, and for the others why there is none; any other error is raised."""
    results = await asyncio.gather(*questions.values(), return_exceptions=True)
    answers: dict[_K, _T] = {}
    failures: dict[_K, RemotingError] = {}
    for key, result in zip(questions, results, strict=True):
        if isinstance(result, RemotingError):
            failures[key] = result
        elif isinstance(result, BaseException):
            raise result
        else:
            answers[key] = result
    return answers, failures

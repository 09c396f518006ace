"""Run a coroutine from code that is not one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

_T = TypeVar("_T")


def run(coroutine: Coroutine[object, object, _T]) -> _T:
    """Run a coroutine to its end in a loop of its own and return its result.

    Raises:
        KeyboardInterrupt: Ctrl-C came, at any moment. Alone, ``asyncio.run`` raises ``CancelledError`` when it
            comes between the installation of its handler and the reset of its counter (``asyncio/runners.py`` of
            CPython 3.11).
    """
    try:
        return asyncio.run(coroutine)
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error

"""Tell a command that somebody ended from one that failed."""

from __future__ import annotations

import sys


def is_interruption(error: BaseException) -> bool:
    """Tell whether an error is Ctrl-C, or a signal like it.

    In a coroutine it comes as ``asyncio.CancelledError``; :func:`rmqops.system.event_loop.run` makes that a
    ``KeyboardInterrupt`` again, and who catches errors at the outermost place knows both.
    """
    asyncio = sys.modules.get("asyncio")  # imported only where something is awaited; it takes a while
    return isinstance(error, KeyboardInterrupt) or (
        asyncio is not None and isinstance(error, asyncio.CancelledError)
    )

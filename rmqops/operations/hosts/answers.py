"""What hosts say, read: an answer that cannot be read is an error that names the host and shows what it said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rmqops.errors import OperationFailed

_LINES: Final = 10
_WIDTH: Final = 160


@contextmanager
def understood(host: str, said: str) -> Iterator[None]:
    """Read an answer in the block; what the reading stumbles over is told as the host's.

    Args:
        host: Whose answer it is.
        said: The answer, whose first lines are shown.

    Raises:
        OperationFailed: the block did not understand the answer.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        lines = [line[:_WIDTH] for line in said.splitlines() if line.strip()]
        raise OperationFailed(
            f"{host} gave an answer that is not understood: {str(error)[:_WIDTH]}",
            detail="\n".join(lines[:_LINES]) or "it said nothing",
            remedy="look what its shell, a login banner or a program of its own in PATH puts between",
        ) from error

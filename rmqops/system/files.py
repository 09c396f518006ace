"""Write a file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from rmqops.errors import OperationFailed


def write_whole(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Put a file in the place of one that is there, or leave that one as it is; it is on disk when this returns.

    Args:
        path: The file; its directory exists.
        text: Its content, written as UTF-8; what UTF-8 cannot say becomes a question mark.
        mode: Its permissions, less the umask; a file that is there does not pass on its own.

    Raises:
        OperationFailed: it cannot be written; nothing has changed.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.unlink(missing_ok=True)  # of a process that died and had this number; its mode may be another
        number = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OperationFailed(
            f"{path} could not be written: {error.strerror or error}", remedy="name a file where one can be made"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)

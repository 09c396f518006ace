"""Files that are written whole or not at all, and files that are nobody else's to read."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

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
    partial = path.parent / f".{path.name}.{os.getpid()}"
    try:
        partial.unlink(missing_ok=True)  # of a process that died and had this number; its mode may be another
        number = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_named(path: Path, text: str) -> None:
    """Write a file that a person named: what a link leads to; a device or a pipe, such as /dev/stdout, as it is.

    Raises:
        OperationFailed: it cannot be written; a file that was there is as it was.
    """
    try:
        plain = not path.exists() or path.is_file() or path.is_dir()
        if not plain:
            with path.open("w", encoding="utf-8", errors="replace") as stream:
                stream.write(text)
            return
        target = path.resolve()
    except (OSError, RuntimeError) as error:  # a link that leads to itself is the latter, before Python 3.13
        raise _unwritable(path, error) from error
    write_whole(target, text)


def append_private(path: Path) -> BinaryIO:
    """Open a file to add to it, unbuffered; made such that its owner alone may read it, whatever the umask is.

    Raises:
        OSError: it cannot be opened.
    """
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    make_private(number)
    return os.fdopen(number, "ab", buffering=0)


def make_private(*files: str | Path | int) -> None:
    """Take from others what they may do with files and directories that are ours."""
    for file in files:
        with suppress(
            PermissionError, FileNotFoundError
        ):  # another user's, or removed by a process beside this one
            mode = stat.S_IMODE(os.stat(file).st_mode)  # noqa: PTH116 - may be a descriptor
            if mode & 0o077:
                os.chmod(file, mode & 0o700)  # noqa: PTH101


def _unwritable(path: Path, error: OSError | RuntimeError) -> OperationFailed:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return OperationFailed(f"{path} could not be written: {reason}", remedy="name a file where one can be made")

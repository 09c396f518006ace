"""The three standard streams of the process, whatever they are: of any encoding, closed, full, or with no reader.

Python's own end a command in a traceback where a character is not in the stream's encoding, where the disk is
full or the reader has gone, and once more at its exit, with exit code 120. What is written to these never fails:
what the encoding lacks is told in ASCII, and why a stream took no more is kept (:func:`failure`) for
``rmqops.cli.output`` to judge.
"""

from __future__ import annotations

import codecs
import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LEGIBLE: Final = "rmqops.legible"
"""The codec error handler of what a stream's encoding lacks."""

_ASCII: Final = {
    "→": "->", "…": "...", "━": "=", "─": "-", "│": "|", "└": "`", "├": "+", "±": "+-", "µ": "u",
    "\N{CHECK MARK}": "+", "\N{MULTIPLICATION X}": "x",
}  # fmt: skip
"""Our own signs; whatever else an encoding lacks is shown as its escape sequence."""


def _legible(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ASCII.get(each) or each.encode("unicode_escape").decode() for each in lacking), error.end


class Descriptor(io.RawIOBase):
    """A descriptor that is written to until it takes no more; from then on, what is written is dropped."""

    def __init__(self, number: int) -> None:
        self.failure: OSError | None = None
        """Why it takes no more."""
        self._number = number

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def fileno(self) -> int:
        """Return its number."""
        return self._number

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        return os.isatty(self._number)

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some of the data, waiting where somebody made the descriptor a non-blocking one."""
        while self.failure is None:
            try:
                return os.write(self._number, data)
            except BlockingIOError:
                ready = select.poll()
                ready.register(self._number, select.POLLOUT)
                ready.poll()
            except OSError as failure:
                self.failure = failure
        return memoryview(data).nbytes


def prepare() -> None:
    """Put streams that never fail in the place of Python's; to be called before anything else is opened.

    A descriptor that is closed becomes ``/dev/null``. Python drops what is written there as well, but gives its
    number to the next file that is opened, and what a child writes would go into that.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the lowest number that is free is the one that is given
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    register()
    sys.stdin = open(  # noqa: SIM115 - no path, and open as long as the process is
        0, encoding=getattr(sys.stdin, "encoding", None) or "utf-8", errors="surrogateescape", closefd=False
    )
    sys.stdout = _stream(1, sys.stdout, line_buffering=os.isatty(1))
    sys.stderr = _stream(2, sys.stderr, line_buffering=True)


def register() -> None:
    """Let streams have :data:`LEGIBLE` as what they do with what their encoding lacks."""
    codecs.register_error(LEGIBLE, _legible)


def failure(stream: object) -> OSError | None:
    """Return why a standard stream took no more; None while it takes all, and for one that is not ours."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, Descriptor) else None


def _stream(number: int, old: io.TextIOBase | object, *, line_buffering: bool) -> io.TextIOWrapper:
    encoding = getattr(old, "encoding", None) or "utf-8"
    buffer = io.BufferedWriter(Descriptor(number))
    return io.TextIOWrapper(buffer, encoding=encoding, errors=LEGIBLE, newline="\n", line_buffering=line_buffering)

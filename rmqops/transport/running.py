"""A command that goes on: its lines as they come, and its end when we are done with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from rmqops.errors import HostUnreachable, OperationFailed
from rmqops.transport import conversation
from rmqops.transport.conversation import Conversation, Pipe
from rmqops.transport.wrapping import KILL_AFTER

_TICK: Final = 0.25
_PATIENCE: Final = 5.0
"""Seconds for a process to read what it is told."""
_PAUSE: Final = 0.01
_LONGEST_LINE: Final = 1 << 20
"""Bytes; a longer line is handed on in pieces."""


class RunningCommand:
    """The :class:`~rmqops.transport.base.Running` of a process whose lifeline is its standard input."""

    def __init__(self, pipe: Pipe, talk: Conversation, patience: float) -> None:
        self.returncode: int | None = None
        self._pipe = pipe
        self._talk = talk
        self._lock = threading.Lock()
        self._input = threading.Lock()
        self._closing = threading.Event()
        conversation.start(pipe, talk, time.monotonic, patience)

    def __iter__(self) -> Iterator[str]:
        """Yield each line without its end; the process's last words too when it is closed meanwhile.

        Raises:
            HostUnreachable: the connection was lost.
        """
        buffer = self._talk.out
        ended = False
        while not ended:
            while (at := buffer.find(b"\n")) >= 0:
                line = bytes(buffer[:at])
                del buffer[: at + 1]
                yield line.decode("utf-8", "replace")
            if len(buffer) > _LONGEST_LINE:
                yield bytes(buffer).decode("utf-8", "replace")
                buffer.clear()
            ended = self._listen()
        *lines, last = bytes(buffer).split(b"\n")
        buffer.clear()
        yield from (line.decode("utf-8", "replace") for line in (*lines, *([last] if last else [])))

    def chunks(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield what it says on its two outputs, as it comes, until it ends; instead of its lines.

        Raises:
            HostUnreachable: the connection was lost.
        """
        ended = False
        while not ended:
            ended = self._listen()
            with self._lock:
                chunk = bytes(self._talk.out), bytes(self._talk.err)
                self._talk.out.clear()
                self._talk.err.clear()
            if any(chunk):
                yield chunk

    def tell(self, data: bytes) -> None:
        """Hand in some input; what the process does not read in time is an error, what it will never read is not.

        Raises:
            OperationFailed: it does not read.
        """
        end = time.monotonic() + _PATIENCE
        while data:
            with self._input:
                data = b"" if self._closing.is_set() else data[self._pipe.send(data) :]
            if data and time.monotonic() >= end:
                program = self._talk.wrapped.program
                raise OperationFailed(f"{self._talk.host}: {program} does not read what it is told")
            if data:
                time.sleep(_PAUSE)

    def close(self) -> None:
        """End the process on its host as well, and wait for that; may be called again, and from another thread."""
        with self._input:
            if not self._closing.is_set():
                self._closing.set()
                self._pipe.shut()
        end = time.monotonic() + KILL_AFTER + 5
        try:
            while self.returncode is None and time.monotonic() < end:
                self._listen()
        except HostUnreachable:
            pass  # sshd ends what hung on the connection
        self._pipe.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> bool:
        with self._lock:
            if self.returncode is not None:
                return True
            out, err, ended = self._pipe.receive(_TICK)
            self._talk.out += out
            self._talk.err += err
            if ended:
                self.returncode = self._pipe.code()
            return ended

"""Commands on this machine."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from typing import IO, Final

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command
from rmqops.transport import wrapping
from rmqops.transport.base_transport import BaseTransport
from rmqops.transport.conversation import LINGER
from rmqops.transport.wrapping import KILL_AFTER, UMASK, Wrapped

_CHUNK: Final = 65536


class LocalTransport(BaseTransport):
    """Runs commands as child processes of rmqops."""

    @property
    def host(self) -> str:
        """This machine."""
        return "localhost"

    def _wrap(self, command: Command) -> Wrapped:
        # A child of our own is ended by us; only what becomes another user is out of our reach.
        return super()._wrap(command) if self._whom(command) else wrapping.bare(command.argv)

    def _start(self, wrapped: Wrapped) -> LocalPipe:
        try:
            return LocalPipe(wrapped)
        except FileNotFoundError as error:
            raise OperationFailed(f"{self.host}: there is no program {wrapped.argv[0]}") from error
        except OSError as error:
            raise OperationFailed(
                f"{self.host}: {wrapped.argv[0]} cannot be started", detail=error.strerror
            ) from error


class LocalPipe:
    """The streams of a child process; see :class:`rmqops.transport.conversation.Pipe`."""

    def __init__(self, wrapped: Wrapped) -> None:
        self._process = subprocess.Popen(
            wrapped.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **wrapping.ENVIRONMENT},
            umask=-1 if wrapped.mark else UMASK,
            start_new_session=True,  # Ctrl-C on a terminal must not cut off a heal that is under way
        )
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._in, self._out, self._err = (_there(stream) for stream in streams)
        self._open = {self._out.fileno(): self._out, self._err.fileno(): self._err}
        self._exited: float | None = None
        os.set_blocking(self._in.fileno(), False)

    def receive(self, wait: float) -> tuple[bytes, bytes, bool]:
        """Hear the child."""
        poll = select.poll()
        for number in self._open:
            poll.register(number, select.POLLIN)
        heard = {self._out: b"", self._err: b""}
        if self._open:
            for number, _ in poll.poll(wait * 1000):
                stream = self._open[number]
                heard[stream] = os.read(number, _CHUNK)
                if not heard[stream]:
                    del self._open[number]
        else:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(wait)
        return heard[self._out], heard[self._err], self._ended(bool(heard[self._out] or heard[self._err]))

    def _ended(self, heard: bool) -> bool:
        if heard or self._process.poll() is None:
            return False
        if self._exited is None:
            self._exited = time.monotonic()
        return not self._open or time.monotonic() - self._exited > LINGER

    def send(self, data: bytes) -> int:
        """Write to the child; what it will not read any more counts as taken."""
        try:
            return os.write(self._in.fileno(), data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return len(data)

    def shut(self) -> None:
        """End the child's input."""
        with suppress(BrokenPipeError):
            self._in.close()

    def code(self) -> int:
        """Return the child's exit code; minus the signal's number when a signal ended it."""
        return self._process.wait()

    def end(self) -> None:
        """End the child and its process group, unless it has ended."""
        self.shut()
        if self._process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(KILL_AFTER)
                    break
        self._out.close()
        self._err.close()


def _there(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "asked for with PIPE"
    return stream

"""What the transports have in common: run, put, get and open, on top of one way to start a process."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command, Result
from rmqops.transport import conversation, files, wrapping
from rmqops.transport.conversation import Conversation, Output, Pipe
from rmqops.transport.running import RunningCommand
from rmqops.transport.wrapping import Become, Wrapped


@dataclass(frozen=True)
class BaseTransport(ABC):
    """A transport, less how a process is started."""

    become: Become | None = None
    patience: float = conversation.START
    """Seconds until the host must have started a command."""

    @property
    @abstractmethod
    def host(self) -> str:
        """The host's name, for messages."""

    @abstractmethod
    def _start(self, wrapped: Wrapped) -> Pipe:
        """Start a process."""

    def _wrap(self, command: Command) -> Wrapped:
        return wrapping.run(command.argv, command.timeout, self._whom(command))

    def run(self, command: Command) -> Result:
        """Run a command; see :class:`rmqops.transport.base.Transport`."""
        done = self._do(command, (command.stdin or "").encode())
        return Result(command, done.code, done.out.decode("utf-8", "replace"), done.err.decode("utf-8", "replace"))

    def put(self, content: bytes, path: str, mode: int) -> None:
        """Write a file; see :class:`rmqops.transport.base.Transport`."""
        self._must(self._do(files.put(content, path, mode), content), f"{path} could not be written")

    def get(self, path: str) -> bytes:
        """Read a file; see :class:`rmqops.transport.base.Transport`."""
        return self._must(self._do(files.get(path), b""), f"{path} could not be read").out

    def open(self, command: Command, *, talk: bool = False) -> RunningCommand:
        """Start a command that goes on; see :class:`rmqops.transport.base.Transport`."""
        wrapped = wrapping.opened(command.argv, self._whom(command), talk=talk)
        pipe = self._start(wrapped)
        try:
            return RunningCommand(pipe, Conversation(wrapped, None, self.host), self.patience)
        except BaseException:
            pipe.end()
            raise

    def _whom(self, command: Command) -> Become | None:
        return self.become if command.become else None

    def _do(self, command: Command, stdin: bytes) -> Output:
        wrapped = self._wrap(command)
        since = time.monotonic()
        pipe = self._start(wrapped)
        try:
            talk = Conversation(wrapped, stdin, self.host)
            conversation.start(pipe, talk, time.monotonic, self.patience)
            done = conversation.complete(pipe, talk, command.timeout, since, time.monotonic)
        finally:
            pipe.end()
        if wrapped.mark and done.code in {126, 127} and done.err.startswith(b"timeout: "):
            reason = done.err.decode("utf-8", "replace").strip()
            raise OperationFailed(f"{self.host}: {command.argv[0]} cannot be started", detail=reason)
        return done

    def _must(self, done: Output, what: str) -> Output:
        if done.code != 0:
            reason = done.err.decode("utf-8", "replace").strip()[-2000:]
            raise OperationFailed(f"{self.host}: {what}", detail=reason or None)
        return done

"""A transport that answers from a table and remembers what it was asked; for tests, and public for that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command, Result


class FakeRunning:
    """A process that says some lines and ends; ``closed`` tells whether it was closed.

    One that is talked to ends when it is closed, as the real ones do.
    """

    def __init__(self, code: int, lines: tuple[str, ...], *, talk: bool = False) -> None:
        self.returncode: int | None = None
        self.closed = False
        self.received = b""
        self._code = code
        self._lines = lines
        self._over = threading.Event()
        if not talk:
            self._over.set()

    def __iter__(self) -> Iterator[str]:
        yield from self._lines
        self._over.wait()
        self.returncode = self._code

    def chunks(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each line on the first output."""
        for line in self:
            yield f"{line}\n".encode(), b""

    def tell(self, data: bytes) -> None:
        """Keep it in ``received``."""
        self.received += data

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
        self._over.set()
        self.returncode = self._code if self.returncode is None else self.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FakeTransport:
    """Answers each command by a function, keeps every command in ``commands`` and every file in ``files``."""

    def __init__(self, answer: Callable[[Command], tuple[int, str]], host: str = "fake") -> None:
        self.host = host
        self.commands: list[Command] = []
        self.opened: list[FakeRunning] = []
        self.files: dict[str, tuple[bytes, int]] = {}
        """Content and mode by path; a test may put some there."""
        self._answer = answer

    def run(self, command: Command) -> Result:
        """Record the command and return the table's answer."""
        self.commands.append(command)
        code, stdout = self._answer(command)
        return Result(command, code, stdout, "")

    def put(self, content: bytes, path: str, mode: int) -> None:
        """Keep the file."""
        self.files[path] = (content, mode)

    def get(self, path: str) -> bytes:
        """Return a file that was kept."""
        if path not in self.files:
            raise OperationFailed(f"{self.host}: {path} could not be read", detail="No such file or directory")
        return self.files[path][0]

    def open(self, command: Command, *, talk: bool = False) -> FakeRunning:
        """Record the command; the lines of the table's answer are what the process says."""
        self.commands.append(command)
        code, stdout = self._answer(command)
        self.opened.append(FakeRunning(code, tuple(stdout.splitlines()), talk=talk))
        return self.opened[-1]

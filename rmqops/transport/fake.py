"""A transport that answers from a table and remembers what it was asked; for tests, and public for that."""

from __future__ import annotations

from collections.abc import Callable

from rmqops.model.commands import Command, Result


class FakeTransport:
    """Answers each command by a function and keeps every command it saw in ``commands``."""

    def __init__(self, answer: Callable[[Command], tuple[int, str]], host: str = "fake") -> None:
        self.host = host
        self.commands: list[Command] = []
        self._answer = answer

    def run(self, command: Command) -> Result:
        """Record the command and return the table's answer."""
        self.commands.append(command)
        code, stdout = self._answer(command)
        return Result(command, code, stdout, "")

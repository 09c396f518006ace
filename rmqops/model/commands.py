"""Commands as values: what is to run on a host, before anything runs it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One program with its arguments; never a line for a shell to split."""

    argv: tuple[str, ...]
    stdin: str | None = None
    timeout: float = 30.0
    """Seconds until it is ended."""
    become: bool = True
    """Whether it runs as the user that the inventory says (``ansible_become``); else as the login user."""

    def __str__(self) -> str:
        return shlex.join(self.argv)

    @classmethod
    def shell(cls, script: str, *arguments: str, timeout: float = 30.0, become: bool = True) -> Command:
        """Run a POSIX shell script; ``arguments`` are ``$1``, ``$2`` … and so need no quoting."""
        return cls(("/bin/sh", "-c", script, "rmqops", *arguments), timeout=timeout, become=become)


@dataclass(frozen=True)
class Result:
    """What a command did."""

    command: Command
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.code == 0

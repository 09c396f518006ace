"""Many commands in one: a script that runs them one after the other and says where each one's output ends.

A fleet is asked in one round trip a machine, and the clock of each machine is read by the way.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rmqops.model.commands import Command

_CLOCK: Final = "printf '\\036clock %s\\n' \"$(date +%s.%N)\""
_END: Final = re.compile(r"\x1eend (\d{1,9})\n")
_TIME: Final = re.compile(r"\x1eclock (\d{1,12}\.\d{1,9})\n")
TIMED_OUT: Final = 124
"""The exit code of ``timeout``; 137 when it had to kill."""


@dataclass(frozen=True)
class Answer:
    """What one command of the script did."""

    code: int
    """Its exit code; :data:`TIMED_OUT` when it took too long, -1 when it was never run."""
    output: str
    """Its standard output."""

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.code == 0

    @property
    def lines(self) -> list[str]:
        """Its output by lines."""
        return self.output.splitlines()

    @property
    def values(self) -> dict[str, str]:
        """Its output as lines of ``key value``; the last one of a key counts."""
        return {key: value for key, _, value in (line.partition(" ") for line in self.lines)}


NEVER: Final = Answer(-1, "")


def joined(commands: Sequence[Command], timeout: float, *, again: bool = False) -> Command:
    """Return one command that runs them all, each within its own time-out, without standard input.

    It runs as the login user when all of them may.

    Args:
        commands: What is run, in this order.
        timeout: Seconds for all of them.
        again: The clock was read at the end of an earlier one: its start is enough for the other bound.
    """
    parts = [
        f"{_line(command, timeout)} </dev/null 2>/dev/null; printf '\\n\\036end %s\\n' $?" for command in commands
    ]
    become = any(command.become for command in commands)
    return Command.shell("\n".join([_CLOCK, *parts, *([] if again else [_CLOCK])]), timeout=timeout, become=become)


def _line(command: Command, timeout: float) -> str:
    """Return how a command is run; one that may take all the time there is needs no process to watch it."""
    if command.timeout < timeout:
        return f"timeout -k 1 {command.timeout:g} {command}"
    if (script := command.script) is not None:
        return f"(\nset -- {shlex.join(script.arguments)}\n{script.text}\n)"
    return str(command)


def answers(output: str, count: int) -> tuple[Answer, ...]:
    """Return what each of the commands did; what the script did not come to is :data:`NEVER`."""
    # Text and code by turns. No pattern that may begin anywhere: what a host says can be long.
    parts = _END.split(_TIME.sub("", output))
    read = [
        Answer(int(code), text.removesuffix("\n")) for text, code in zip(parts[:-1:2], parts[1::2], strict=True)
    ][:count]
    return (*read, *[NEVER] * (count - len(read)))


def clock(output: str, sent: float, received: float) -> tuple[float, float] | None:
    """Return the bounds of how far a machine's clock is ahead of ours, in seconds; None when it told no time.

    What it printed first was read after ``sent``, and what it printed last before ``received``, both in seconds
    of our clock; so the bounds are as wide as the journey of the command and its answer, however long it ran.
    """
    times = [float(text) for text in _TIME.findall(output)]
    return (times[-1] - received, times[0] - sent) if times else None

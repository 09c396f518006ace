"""Run the commands of faults on this machine, and wait for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable

from rmqops.model.commands import Command, Result
from rmqops.model.topology import Instance
from rmqops.transport.local import LocalTransport

HOST = LocalTransport()


def run(command: Command) -> Result:
    """Run a command."""
    return HOST.run(command)


def must(command: Command) -> str:
    """Run a command, insist that it works, and return what it printed."""
    done = run(command)
    assert done.ok, done
    return done.stdout.strip()


def until(condition: Callable[[], object], what: str, seconds: float = 10) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.01)


def alive(made: Instance) -> int | None:
    """Return the pid of an instance, as its own script tells it."""
    done = run(Command((f"{made.home}/current/bin/pid.sh",)))
    return int(done.stdout) if done.ok else None

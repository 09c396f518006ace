"""Run the commands of faults on this machine, and wait for what they do."""

from __future__ import annotations

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


def alive(made: Instance) -> int | None:
    """Return the pid of an instance, as its own script tells it."""
    done = run(Command((f"{made.home}/current/bin/pid.sh",)))
    return int(done.stdout) if done.ok else None

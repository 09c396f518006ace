"""Run the commands of faults on this machine, and wait for what they do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

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


def in_a_moment(command: Command) -> Command:
    """Return a command whose script waits for a bound, with one that passes at once."""
    shorter = tuple(re.sub(r"^within \d+$", "within 0", part, flags=re.MULTILINE) for part in command.argv)
    assert shorter != command.argv, "it waits for nothing"
    return replace(command, argv=shorter)


def marked(word: str) -> list[int]:
    """Return the processes of this machine that have a word on their command lines which begins so."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if any(each.startswith(word.encode()) for each in words):
            pids.append(int(path.parent.name))
    return pids


def alive(made: Instance) -> int | None:
    """Return the pid of an instance, as its own script tells it."""
    done = run(Command((f"{made.home}/current/bin/pid.sh",)))
    return int(done.stdout) if done.ok else None

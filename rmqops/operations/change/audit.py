"""What was done to which cluster: who, when, with which command line, what was planned, and how it ended."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rmqops.errors import RmqopsError
from rmqops.model import secret
from rmqops.model.topology import Topology
from rmqops.operations import logbook
from rmqops.system.files import write_whole
from rmqops.system.interruption import is_interruption

KEEP = 1000
"""Entries."""

Outcome = Literal["running", "done", "failed", "interrupted"]


@dataclass
class AuditEntry:
    """One run of a command that changes something. ``running`` is also what a run that was killed leaves."""

    id: str
    verb: str
    cluster: str
    inventory: str
    who: str
    argv: list[str]
    started: str
    log: str
    plan: list[str] = field(default_factory=list)
    outcome: Outcome = "running"
    error: str = ""
    ended: str = ""


def directory() -> Path:
    """Return where the entries lie."""
    return logbook.state_directory() / "audit"


@contextmanager
def recorded(verb: str, topology: Topology) -> Iterator[AuditEntry]:
    """Record a run; it is on disk before the block begins.

    Args:
        verb: The command.
        topology: The cluster.
    """
    log = logbook.new_log(verb, topology.cluster)
    user = getpass.getuser()
    sudo = os.environ.get("SUDO_USER")
    who = f"{user}{f' (sudo by {sudo})' if sudo else ''}@{socket.gethostname()}"
    entry = AuditEntry(log.stem, verb, topology.cluster, topology.inventory, who, _argv(), _now(), str(log))
    _write(entry)
    try:
        yield entry
    except BaseException as error:
        entry.outcome = "interrupted" if is_interruption(error) else "failed"
        entry.error = secret.hide(str(error) if isinstance(error, RmqopsError) else type(error).__name__)
        raise
    else:
        entry.outcome = "done"
    finally:
        entry.ended = _now()
        _write(entry)


def _argv() -> list[str]:
    """Return this process's command line without secrets; what stands after ``--`` is a command for hosts."""
    words = sys.argv[1:]
    own = words.index("--") + 1 if "--" in words else len(words)
    return ["rmqops", *map(secret.hide, words[:own]), *secret.hide_in_command(words[own:])]


def entries() -> list[AuditEntry]:
    """Return what was recorded, the newest first."""
    known = []
    for path in sorted(directory().glob("*.json"), reverse=True):
        try:
            entry = AuditEntry(**json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError, RecursionError):  # written by another version, or by somebody else
            continue
        lists = entry.argv, entry.plan
        texts = (value for name, value in vars(entry).items() if name not in {"argv", "plan"})
        if all(isinstance(each, list) for each in lists) and all(
            isinstance(each, str) for each in (*texts, *entry.argv, *entry.plan)
        ):
            known.append(entry)
    return known


def _write(entry: AuditEntry) -> None:
    path = logbook.private_directory("audit") / f"{entry.id}.json"
    write_whole(path, json.dumps(asdict(entry), indent=1), mode=0o600)
    for old in sorted(directory().glob("*.json"))[:-KEEP]:
        old.unlink(missing_ok=True)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

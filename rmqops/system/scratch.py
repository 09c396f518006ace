"""Directories for what a process needs while it runs, and removed by the next one when it was killed.

Each is named ``rmqops-PURPOSE.RANDOM`` and lies where the system keeps temporary files, of mode 0700. Its process
holds a lock (``flock``) on it, which the kernel lets go when that process dies, whatever its number is to other
processes.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_OURS: Final = re.compile(r"rmqops-[a-z]+\.[a-z0-9_]{8}")
_BEFORE: Final = re.compile(r"rmqops-[a-z0-9_]{8}")
"""Those of playbooks of earlier releases, which held no lock; a password may stand in one."""
_BEFORE_HOLDS: Final = frozenset({"events.jsonl", "variables.json"})
_DAY: Final = 86400.0


@contextmanager
def directory(purpose: str) -> Iterator[Path]:
    """Make a directory, and remove it whatever happens; first those of processes that are dead.

    Args:
        purpose: A word in small letters, for the name.
    """
    sweep()
    path, held = _held(purpose)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(held)


def sweep() -> None:
    """Remove the directories of this user's processes that have died; what cannot be removed is left."""
    for path in Path(tempfile.gettempdir()).glob("rmqops-*"):
        with suppress(OSError):
            if (_OURS.fullmatch(path.name) or _is_from_before(path)) and _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)


def _is_from_before(path: Path) -> bool:
    if not _BEFORE.fullmatch(path.name) or time.time() - path.lstat().st_mtime < _DAY:
        return False
    return {entry.name for entry in path.iterdir()} >= _BEFORE_HOLDS


def _held(purpose: str) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"rmqops-{purpose}."))
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX)
        if path.exists():  # nobody has swept it between these two steps
            return path, held
        os.close(held)


def _is_abandoned(path: Path) -> bool:
    """Tell whether a directory is this user's and no process holds it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        seen = os.fstat(descriptor)
        if seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) != 0o700:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True

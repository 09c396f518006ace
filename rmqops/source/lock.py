"""A lock on the cache that the kernel lets go when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path, purpose: str, on_wait: Callable[[str], None]) -> Iterator[int]:
    """Hold a lock file while the block runs; yield its descriptor.

    A child that inherits the descriptor keeps the lock for as long as it lives: a Maven that outlives a
    killed rmqops is waited for, not run over. The holder may remove the file; who waits then makes a new one.

    Args:
        path: the lock file; its content is only for people.
        purpose: what the holder does, for those who wait.
        on_wait: called once, with who holds the lock, when somebody does.
    """
    descriptor = _locked(path, on_wait)
    try:
        _sign(descriptor, purpose)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def held_if_free(path: Path, purpose: str) -> Iterator[bool]:
    """Hold a lock file while the block runs, unless somebody else does; yield whether it is held."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            _sign(descriptor, purpose)
            yield True
    finally:
        os.close(descriptor)


def _sign(descriptor: int, purpose: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {purpose}".encode(), 0)


def _locked(path: Path, on_wait: Callable[[str], None]) -> int:
    """Open and lock the file that is at ``path`` once the lock is held: a holder may remove it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait(_holder(descriptor))
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    pid, _, purpose = os.pread(descriptor, 200, 0).decode(errors="replace").partition(" ")
    if not pid.isdigit():
        return "another process"
    if not Path("/proc", pid).exists():
        return f"what process {pid} left running when it died ({purpose})"
    return f"process {pid} ({purpose})"

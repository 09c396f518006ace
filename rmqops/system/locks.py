"""A lock on this machine that the kernel lets go when its holder dies, and that says who holds it.

The lock is ``flock`` on a file. In the file stands its holder's record, ``pid start-time purpose``; the start time
is the kernel's (field 22 of ``/proc/PID/stat``, proc(5): clock ticks from boot to the process's start), so that
the record of a dead process is not believed when another process has its number. A holder writes its record a
moment after it got the lock and removes it before it lets go: while a lock is held and its record is of no living
process, the record is read again, for ``RECORD_WITHIN`` seconds.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rmqops.errors import OperationFailed
from rmqops.system import waiting

RECORD_WITHIN = 0.5
"""Seconds for a holder to write its record. When they have passed, a child of a dead holder has the lock."""
LOOK_EVERY = 0.01


@dataclass(frozen=True)
class Holder:
    """Who wrote a lock's record."""

    pid: int
    started: int
    """When it was started: clock ticks after the machine was."""
    purpose: str
    """What it holds the lock for, in words."""

    @property
    def alive(self) -> bool:
        """Whether the very process that wrote the record lives."""
        return started_at(self.pid) == self.started

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to that process and to no other that has its pid; tell whether it was there.

        Raises:
            PermissionError: it is another user's.
        """
        try:
            process = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # What the descriptor names cannot become another process after this look.
            if not self.alive:
                return False
            signal.pidfd_send_signal(process, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(process)
        return True


def started_at(pid: int) -> int | None:
    """Return when a process was started, in clock ticks after the machine was; None when there is none alive.

    A process that has ended and that its parent has not asked for yet (state Z) holds no lock any more.
    """
    try:
        stat = Path("/proc", str(pid), "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, which may hold spaces and brackets of its own.
    state, *fields = stat.rpartition(b")")[2].split()
    return None if state in b"ZX" else int(fields[18])


@contextmanager
def held(path: Path, purpose: str, on_wait: Callable[[str], None]) -> Iterator[int]:
    """Hold a lock file while the block runs; yield its descriptor.

    A child that inherits the descriptor keeps the lock for as long as it lives: a Maven that outlives a
    killed rmqops is waited for, not run over. The holder may remove the file; who waits then makes a new one.

    Args:
        path: The lock file, in a directory that exists.
        purpose: What the holder does, for those who wait.
        on_wait: Called once, with who holds the lock, when somebody does.
    """
    descriptor = _locked(path, on_wait)
    try:
        with _signed(descriptor, purpose):
            yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def held_if_free(path: Path, purpose: str) -> Iterator[bool]:
    """Hold a lock file while the block runs, unless somebody else does; yield whether it is held."""
    descriptor = _opened(path)
    try:
        if _locked_at_once(descriptor):
            with _signed(descriptor, purpose):
                yield True
        else:
            yield False
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Return the living process that holds a lock; None when nobody does.

    Raises:
        OperationFailed: somebody holds it and has not said who.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        waiting.until_sync(
            f"the record of who holds {path}", lambda: _unsaid(descriptor), RECORD_WITHIN, interval=LOOK_EVERY
        )
        record = _record(descriptor)
        return record if record is not None and record.alive else None
    finally:
        os.close(descriptor)


def _unsaid(descriptor: int) -> str | None:
    """Tell why nobody knows yet who holds a lock; None when its holder's record is there, or nobody holds it."""
    record = _record(descriptor)
    if record is not None and record.alive:
        return None
    if _lock(descriptor):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return None
    return "nothing" if record is None else f"process {record.pid}, which is dead"


@contextmanager
def _signed(descriptor: int, purpose: str) -> Iterator[None]:
    """Keep the record of this process in a lock's file while the block runs."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {started_at(os.getpid())} {purpose}\n".encode(), 0)
    try:
        yield
    finally:
        os.ftruncate(descriptor, 0)


def _record(descriptor: int) -> Holder | None:
    """Return what stands in a lock's file; None when that is no whole record."""
    text = os.pread(descriptor, 4096, 0).decode(errors="replace")
    pid, _, rest = text.partition(" ")
    started, _, purpose = rest.partition(" ")
    if not (pid.isdecimal() and started.isdecimal() and purpose.endswith("\n")):
        return None
    return Holder(int(pid), int(started), purpose.rstrip("\n"))


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _lock(descriptor: int) -> bool:
    """Take a lock, if it is free; tell whether it is ours."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _locked_at_once(descriptor: int) -> bool:
    """Take a lock unless somebody works with it; who only looks at it (:func:`holder`) has it for a moment."""
    ours = False

    def busy() -> str | None:
        nonlocal ours
        ours = _lock(descriptor)
        record = _record(descriptor)
        return None if ours or (record is not None and record.alive) else "somebody who has not said who"

    with suppress(OperationFailed):
        waiting.until_sync("the lock", busy, RECORD_WITHIN, interval=LOOK_EVERY)
    return ours


def _locked(path: Path, on_wait: Callable[[str], None]) -> int:
    """Open and lock the file that is at ``path`` once the lock is held: a holder may remove it."""
    while True:
        descriptor = _opened(path)
        try:
            if not _lock(descriptor):
                on_wait(_described(descriptor))
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _described(descriptor: int) -> str:
    """Say who holds a lock that could not be taken."""
    try:
        waiting.until_sync("a record", lambda: _unsaid(descriptor), RECORD_WITHIN, interval=LOOK_EVERY)
    except OperationFailed:
        dead = _record(descriptor)
        return f"what process {dead.pid} left running when it died ({dead.purpose})" if dead else "another process"
    living = _record(descriptor)
    return f"process {living.pid} ({living.purpose})" if living else "another process"

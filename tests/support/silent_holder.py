"""A lock's holder between its lock and its record."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.readline()
from rmqops.system import locks
with locks._signed(descriptor, sys.argv[2]):
    print("signed", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def silent_holder(path: Path, purpose: str) -> Iterator[subprocess.Popen[str]]:
    """Hold a lock in another process that has not written its record; a line on its input makes it write that."""
    argv = [sys.executable, "-c", _PROGRAM, str(path), purpose]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()

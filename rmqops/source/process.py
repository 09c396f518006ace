"""Child processes that never outlive rmqops, their output kept in a log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

STOP_SECONDS: Final = 10.0
"""How long a child may take to end after SIGTERM before it is killed."""

# A small parent of its own, in the group that it ends. PR_SET_PDEATHSIG (1) makes the kernel send it SIGUSR1 when
# rmqops dies, even by SIGKILL; a program that starts others without exec is ended with them.
_SUPERVISOR: Final = """
import ctypes, os, signal, sys
rmqops = int(sys.argv[1])
signal.signal(signal.SIGUSR1, lambda *_: os.killpg(0, signal.SIGKILL))
signal.signal(signal.SIGTERM, lambda *_: None)
ctypes.CDLL(None).prctl(1, signal.SIGUSR1)
if os.getppid() != rmqops:
    sys.exit(1)
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
"""


def run_logged(
    argv: Sequence[str],
    *,
    directory: Path,
    environ: Mapping[str, str],
    log: Path,
    on_line: Callable[[str], None],
    keep_open: Sequence[int] = (),
) -> int:
    """Run a program to its end and return its exit code.

    It runs in a process group of its own, so that Ctrl-C reaches rmqops alone, which then ends the whole
    group. When rmqops is killed, the group is killed, too. A program killed by a signal gives 128 and its number.

    Args:
        argv: the program, by its absolute path, and its arguments.
        directory: where it runs.
        environ: its whole environment.
        log: a file that its output, standard error included, is added to.
        on_line: called with each line of the output.
        keep_open: descriptors that it inherits, such as a lock's.
    """
    with log.open("a", encoding="utf-8") as log_file:
        log_file.write(f"$ {' '.join(argv)}\n")
        log_file.flush()
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SUPERVISOR, str(os.getpid()), *argv],
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            process_group=0,
            pass_fds=tuple(keep_open),
        )
        try:
            assert child.stdout is not None
            for line in child.stdout:
                log_file.write(line)
                on_line(line.rstrip("\n"))
            return child.wait()
        finally:
            _end(child)


def _end(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        _signal_group(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)
        _signal_group(child, signal.SIGKILL)
        child.wait()
    if child.stdout:
        child.stdout.close()


def _signal_group(child: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)

"""Run command lines with standard streams of every kind; as a program, the process that is forked for each.

A process a command line would take half a second to start; what is forked here has the command line loaded, and
its streams are real ones. Hence this file is a program as well, of a single thread, that is told by lines of JSON.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

Kind = Literal["file", "terminal", "closed", "full", "broken"]
"""Of a stream: it takes all, it is a terminal, it was never open, its disk is full, its reader has gone."""

CRASHED: Final = 70
"""The exit code here of a command line that ended in an exception."""


@dataclass(frozen=True)
class Streams:
    """The standard streams of a command line."""

    stdin: Kind = "file"
    stdout: Kind = "file"
    stderr: Kind = "file"
    encoding: str = "utf-8"
    columns: int = 80


@dataclass(frozen=True)
class Ended:
    """How a command line ended, and what could be read of its outputs."""

    code: int
    out: bytes
    err: bytes
    crash: str
    """The traceback, where there is one."""


class ForkServer:
    """A process that runs command lines in forks of itself."""

    def __init__(self, directory: Path, environ: dict[str, str]) -> None:
        argv = [sys.executable, str(Path(__file__))]
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=directory,
            env={**environ, "PYTHONPATH": str(root), "PYTHONUTF8": "1"},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, argv: Sequence[str], streams: Streams) -> Ended:
        """Run a command line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([list(argv), vars(streams)]) + "\n")
        self._process.stdin.flush()
        code, out, err, crash = json.loads(self._process.stdout.readline())
        return Ended(code, base64.b64decode(out), base64.b64decode(err), crash)


class _End:
    """Our end of one output."""

    def __init__(self, kind: Kind, columns: int, number: int) -> None:
        self.number = number
        self.heard = b""
        self.theirs: int | None = None
        self._ours: int | None = None
        if kind == "terminal":
            self._ours, self.theirs = pty.openpty()
            fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            modes = termios.tcgetattr(self.theirs)
            modes[1] &= ~termios.OPOST  # it would put bytes into what it takes for lines
            termios.tcsetattr(self.theirs, termios.TCSANOW, modes)
        elif kind == "full":
            self.theirs = os.open("/dev/full", os.O_RDWR)
        elif kind != "closed":
            self._ours, self.theirs = os.pipe()
            if kind == "broken":
                os.close(self._ours)
                self._ours = None

    def begin(self) -> None:
        """Be the stream, in the child."""
        if self.theirs is None:
            os.close(self.number)
        else:
            os.dup2(self.theirs, self.number)

    def listen(self) -> int | None:
        """Let go of the child's end; return ours, while there is something to be heard."""
        if self.theirs is not None:
            os.close(self.theirs)
            self.theirs = None
        return self._ours

    def hear(self) -> None:
        """Hear a bit."""
        assert self._ours is not None
        try:
            bit = os.read(self._ours, 65536)
        except OSError:  # a terminal that nobody has open any more
            bit = b""
        self.heard += bit
        if not bit:
            os.close(self._ours)
            self._ours = None


def _fork(argv: list[str], streams: Streams) -> tuple[int, bytes, bytes, str]:
    ends = [_End(streams.stdout, streams.columns, 1), _End(streams.stderr, streams.columns, 2)]
    with tempfile.TemporaryFile() as crash:
        pid = os.fork()
        if not pid:
            _child(argv, streams, ends, crash.fileno())
        while waiting := {ours: end for end in ends if (ours := end.listen()) is not None}:
            for ours in select.select(list(waiting), [], [])[0]:
                waiting[ours].hear()
        _, status = os.waitpid(pid, 0)
        crash.seek(0)
        return os.waitstatus_to_exitcode(status), ends[0].heard, ends[1].heard, crash.read().decode()


def _child(argv: list[str], streams: Streams, ends: list[_End], crash: int) -> None:
    """Be a process that was just started, as far as its streams go; never comes back."""
    code = CRASHED
    try:
        if streams.stdin == "closed":
            os.close(0)
        else:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for end in ends:
            end.begin()
        for number, name in enumerate(("stdin", "stdout", "stderr")):  # as Python itself makes them
            closed = getattr(streams, name) == "closed"
            mode = "r" if name == "stdin" else "w"
            stream = None if closed else open(number, mode, encoding=streams.encoding, closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        os.environ |= {"COLUMNS": str(streams.columns), "PYTHONIOENCODING": streams.encoding}
        sys.argv = ["rmqops", *argv]
        from rmqops import __main__

        __main__.main()
    except SystemExit as ended:
        sys.stdout.flush()
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        os.write(crash, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(code)


def main() -> None:
    """Serve."""
    from rmqops.cli import app

    def load(group: app.LazyGroup) -> None:
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            if isinstance(command, app.LazyGroup):
                load(command)

    load(app.LazyGroup())
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for line in requests:
        argv, streams = json.loads(line)
        code, out, err, crash = _fork(argv, Streams(**streams))
        told = [code, base64.b64encode(out).decode(), base64.b64encode(err).decode(), crash]
        answers.write(json.dumps(told) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""Processes of the load on a client's host: started over its connection, and gone with it.

Each is the child of one command that is talked to (``Transport.open``). It ends when its input ends: when the run
closes it, when rmqops dies, and when the connection is closed; and by itself when it has heard nothing for
``SILENCE`` seconds, for a network that is cut says nothing to anybody.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from rmqops.chaos.load.clients.drivers import Settings
from rmqops.chaos.load.hosts import clocks
from rmqops.chaos.load.hosts.clocks import Offset
from rmqops.chaos.load.hosts.files import ReadyHost
from rmqops.chaos.mechanisms import bounded_wait, process_marks
from rmqops.errors import OperationFailed, RmqopsError
from rmqops.model.commands import Command
from rmqops.system import parallel, waiting
from rmqops.transport.base import Running, check

PULSE: Final = 2.0
SILENCE: Final = 20
"""Seconds; several words may get stuck behind a lost packet."""
LOST: Final = 255
"""What a process has ended with when its connection was lost."""
CLOCK_SECONDS: Final = 30.0
KILL_SECONDS: Final = 5.0
"""How long a process that was killed may take to be dead."""
SWEEP_SECONDS: Final = 10.0
"""How long the processes may take to be gone, the first two of them by themselves."""

_SAYS_ITS_PID: Final = 'echo "$$"; exec "$@"'

# $1 the run, $2 pid. The command line of a process that is dead and not yet collected is empty.
_KILL: Final = f"""{process_marks.BEARERS}
dead() {{ ! bears "$2" "-Drmqops.load=$1"; }}
! dead "$1" "$2" || {{ echo "process $2 is none of the load's any more" >&2; exit 1; }}
kill -s KILL "$2"
wait_until dead "$1" "$2" || {{ echo "process $2 is still alive" >&2; exit 1; }}
"""

# $1 the run, $2 its directory. A process whose input has ended needs a moment; after two seconds none is given.
_SWEEP: Final = f"""{process_marks.BEARERS}
gone() {{ pids=$(bearers "-Drmqops.load=$1") && [ -z "$pids" ]; }}
killed() {{
  gone "$1" && return
  kill -s KILL $pids 2> /dev/null
  return 1
}}
within 2
if ! wait_until gone "$1"; then
  within {SWEEP_SECONDS - 2:.0f}
  wait_until killed "$1" || {{ echo "of the load are left: $pids" >&2; exit 1; }}
fi
rm -rf "$2"
"""


class RemoteProcess:
    """A process on a client's host; see :class:`rmqops.chaos.load.hosts.place.Process`."""

    def __init__(self, running: Running, kill: Callable[[int], None]) -> None:
        self.stdin = self
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self.returncode: int | None = None
        self.pid = 0
        self._running = running
        self._kill = kill
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._tasks: list[asyncio.Future[None]] = []
        threading.Thread(target=self._hear, daemon=True).start()

    async def begin(self, host: str) -> None:
        """Learn its pid, which is the first thing that it says.

        Raises:
            OperationFailed: it does not say one.
        """
        line = (await self.stdout.readline()).strip()
        if not line.isdigit() or len(line) > clocks.LONGEST:
            complaints = (await self.stderr.read(2000)).decode("utf-8", "replace").strip()
            raise OperationFailed(f"{host}: a process of the load did not start", detail=complaints or None)
        self.pid = int(line)

    def write(self, data: bytes, /) -> None:
        """Tell it something, in a thread; what does not reach it is seen by what it does not do."""
        self._do(lambda: self._running.tell(data))

    def kill(self) -> None:
        """Kill it by a command of its own; where that cannot be, the end of its input has to do."""

        def kill() -> None:
            try:
                self._kill(self.pid)
            except RmqopsError:
                self._running.close()

        self._do(kill)

    async def wait(self) -> int:
        """Return its exit code once it has ended, and everything that was under way about it."""
        await self._ended.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return LOST if self.returncode is None else self.returncode

    def _do(self, call: Callable[[], None]) -> None:
        self._tasks.append(self._loop.run_in_executor(None, call))

    def _hear(self) -> None:
        code = None
        try:
            for chunk in self._running.chunks():
                self._loop.call_soon_threadsafe(self._take, *chunk)
            code = self._running.returncode
        except RmqopsError as error:
            self._loop.call_soon_threadsafe(self._take, b"", f"{error.message}\n".encode())
        finally:
            with suppress(RuntimeError):  # the run is over, and nobody asks any more
                self._loop.call_soon_threadsafe(self._end, LOST if code is None else code)

    def _take(self, out: bytes, err: bytes) -> None:
        self.stdout.feed_data(out)
        self.stderr.feed_data(err)

    def _end(self, code: int) -> None:
        self.returncode = 128 - code if 128 < code < LOST else code
        self.stdout.feed_eof()
        self.stderr.feed_eof()
        self._ended.set()


class ClientHost:
    """A client's host as a place; see :class:`rmqops.chaos.load.hosts.place.Place`."""

    def __init__(self, host: ReadyHost, offset: Offset) -> None:
        self._host = host
        self._offset = offset
        self._drift: float | None = None
        self._run: str | None = None
        self._opened: list[Running] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        """The host's name in the inventory."""
        return self._host.client.name

    @property
    def facts(self) -> Mapping[str, str]:
        """How far its clock was from ours, and how well that is known."""
        offset = self._offset
        measured = f"{1000 * offset.seconds:+.3f} ms \N{PLUS-MINUS SIGN} {1000 * offset.bound:.3f} ms"
        drift = "" if self._drift is None else f", {1000 * self._drift:+.3f} ms more at the end"
        return {f"clock of {self.name}": measured + drift}

    @property
    def clock_error(self) -> float:
        """By how much its clock may be off once the offset is taken away."""
        return self._offset.bound

    async def start(self, settings: Settings, run: Path) -> RemoteProcess:
        """Start a process, and return when it runs."""
        directory = self._host.directory / "runs" / run.name
        adjusted = replace(settings, epoch=settings.epoch + self._offset.seconds)
        driver = self._host.program.driver(f"-Drmqops.load={run.name}", SILENCE)
        command = Command(
            ("/bin/sh", "-c", _SAYS_ITS_PID, "rmqops", *driver.argv(adjusted, directory)), become=False
        )
        if self._run is None:
            self._run = run.name
            threading.Thread(target=self._pulse, daemon=True).start()
        running = await waiting.to_end(lambda: self._open(command))
        process = RemoteProcess(running, self._kill)
        await process.begin(self.name)
        return process

    async def close(self) -> None:
        """Let go of all processes, see them gone, and remove what they logged."""
        await waiting.to_end(self._close)

    def _open(self, command: Command) -> Running:
        with self._lock:
            if self._closed.is_set():
                raise OperationFailed(f"{self.name}: the load has ended")
            self._opened.append(self._host.transport.open(command, talk=True))
            return self._opened[-1]

    def _pulse(self) -> None:
        while not self._closed.wait(PULSE):
            for running in tuple(self._opened):
                if running.returncode is None:
                    with suppress(RmqopsError):
                        running.tell(b"\n")

    def _kill(self, pid: int) -> None:
        command = bounded_wait.command(_KILL, str(self._run), str(pid), seconds=KILL_SECONDS, become=False)
        check(self._host.transport.run(command), self.name)

    def _close(self) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
        if self._run is None:
            return
        parallel.mapped(_let_go, self._opened)
        directory = self._host.directory / "runs" / self._run
        sweep = bounded_wait.command(_SWEEP, self._run, str(directory), seconds=SWEEP_SECONDS, become=False)
        try:
            check(self._host.transport.run(sweep), self.name)
        except RmqopsError as error:
            raise OperationFailed(
                f"{self.name}: whether a process of the load is left there is not known: {error.message}",
                detail=error.detail,
                remedy=f"they end by themselves within {SILENCE} s; look with ps for -Drmqops.load={self._run}",
            ) from error
        with suppress(RmqopsError):  # the history is written, and the first measurement stands
            self._drift = measure_clock(self._host).seconds - self._offset.seconds


def _let_go(running: Running) -> None:
    """Close a process; where that fails, the others are closed all the same, and the sweep tells what is left."""
    with suppress(RmqopsError):
        running.close()


def measure_clock(host: ReadyHost) -> Offset:
    """Measure how far a client's host's clock is from ours.

    Raises:
        OperationFailed: it cannot be read in time.
    """
    with host.transport.open(Command(host.program.clock, become=False), talk=True) as running:
        limit = threading.Timer(CLOCK_SECONDS, running.close)
        limit.start()
        try:
            return clocks.measure(running, host.client.name)
        finally:
            limit.cancel()

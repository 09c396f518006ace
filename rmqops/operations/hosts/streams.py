"""Commands on many hosts at once, their lines in one stream as they come."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from rmqops.errors import OperationFailed, RmqopsError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.transport.base import Running, Transports, transport_for

_BACKLOG: Final = 10_000
"""Lines that may wait to be shown; a host that says more is slowed down."""


@dataclass(frozen=True)
class Job:
    """One command for one host."""

    name: str
    """Who it is for, as lines and ends name it."""
    instance: Instance
    command: Command


@dataclass(frozen=True)
class Line:
    """What a command said."""

    name: str
    text: str


@dataclass(frozen=True)
class End:
    """How a command ended: with an exit code, or with an error and nobody knows."""

    name: str
    code: int | None
    error: RmqopsError | None = None

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.code == 0


class Streams:
    """Runs jobs and yields their lines and ends; leaving it, however, ends what still runs on the hosts.

    Args:
        jobs: What to run.
        forks: How many at a time.
        timeout: Seconds after which a job is ended; None for no limit. A command's own time-out does not matter.
        transports: How hosts are reached.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        forks: int,
        timeout: float | None = None,
        transports: Transports = transport_for,
    ) -> None:
        self._jobs = jobs
        self._timeout = timeout
        self._transports = transports
        self._items: queue.Queue[Line | End] = queue.Queue(_BACKLOG)
        self._running: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=max(1, min(forks, len(jobs))))

    def __enter__(self) -> Self:
        for job in self._jobs:
            self._pool.submit(self._run, job)
        return self

    def __iter__(self) -> Iterator[Line | End]:
        """Yield every line as it comes and one end a job, until all have ended."""
        left = len(self._jobs)
        while left:
            item = self._items.get()
            left -= isinstance(item, End)
            yield item

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        with self._lock:
            running = list(self._running.values())
        closers = [threading.Thread(target=process.close) for process in running]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, job: Job) -> None:
        try:
            self._say(self._follow(job))
        except RmqopsError as error:
            self._say(End(job.name, None, error))
        except Exception as error:  # a job must end, or its reader waits for ever
            self._say(End(job.name, None, OperationFailed(f"{job.name}: {error!r}")))

    def _follow(self, job: Job) -> End:
        if self._closed.is_set():
            return End(job.name, None)
        late = threading.Event()
        with self._transports(job.instance).open(job.command) as process:
            with self._lock:
                self._running[job.name] = process
            if self._closed.is_set():
                process.close()
            watch = threading.Timer(self._timeout or 0, self._end, (process, late))
            watch.daemon = True
            if self._timeout is not None:
                watch.start()
            try:
                for text in process:
                    self._say(Line(job.name, text))
            finally:
                watch.cancel()
                with self._lock:
                    del self._running[job.name]
        if late.is_set():
            raise OperationFailed(f"{job.name}: did not end within {self._timeout:g} s, and was ended there")
        return End(job.name, process.returncode)

    @staticmethod
    def _end(process: Running, late: threading.Event) -> None:
        late.set()
        process.close()

    def _say(self, item: Line | End) -> None:
        while not self._closed.is_set():
            try:
                self._items.put(item, timeout=0.5)
            except queue.Full:
                continue
            return

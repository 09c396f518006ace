"""Start, follow and end the processes of the load, and keep count of what they say."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rmqops.chaos.history.format import LOAD_LINE
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.history.service_windows import GAP
from rmqops.chaos.load.clients.drivers import Driver, Settings
from rmqops.chaos.load.clients.outlet import FLUSH
from rmqops.chaos.load.clients.settings import (
    CLIENT,
    STOP,
    SUMMARY,
    ConsumerSettings,
    ProducerSettings,
    read_client,
    read_summary,
)
from rmqops.chaos.load.hosts.place import Place, ThisMachine
from rmqops.chaos.load.worker import Worker
from rmqops.errors import Inconclusive

FLOWS_WITHIN = 60.0
"""Seconds for processes of the load to send and receive, besides the time that they must have been steady.

A broker that has just started refuses sends with code 2 while its code is being compiled: for 10 s at 200
messages/s on two cores. A JVM starts, a client looks for its route, a group shares its queues anew, and a consumer
of a group may need its client's next heartbeat too: docs/known-issues.md, "subscription not latest".
"""


class Workers:
    """All processes of the load of one run; ``await close()`` on every way out.

    Args:
        recorder: Takes their lines.
        driver: Starts them on this machine.
        places: Where they run, by turns, if that is elsewhere.
    """

    def __init__(self, recorder: Recorder, driver: Driver, places: Sequence[Place] = ()) -> None:
        self._recorder = recorder
        self.shares = driver.shares
        """Whether its consumers are one group that shares the queues."""
        self._places = places or (ThisMachine(driver),)
        self.workers: list[Worker] = []

    async def start(self, roster: Sequence[Settings]) -> None:
        """Start one process for each of the settings."""
        for settings, where in zip(roster, itertools.cycle(self._places), strict=False):
            await self._start(settings, where)

    async def kill(self, worker: Worker) -> int:
        """Kill a process by ``kill -9``, and return what it ended with once all that it had said is on record."""
        worker.struck = True
        if worker.process.returncode is None:
            worker.process.kill()
        code = await worker.process.wait()
        if worker.reading is not None:
            await worker.reading
        return code

    async def replace(self, dead: Worker) -> Worker:
        """Start a new life in the place of a process that was killed; it has a name, and keys, of its own."""
        name = dead.client_name.successor
        again = replace(dead.settings, name=str(name))
        if isinstance(again, ProducerSettings):
            again = replace(again, prefix=name.key_prefix)
        return await self._start(again, dead.where)

    async def _start(self, settings: Settings, where: Place) -> Worker:
        process = await where.start(settings, self._recorder.path.parent)
        worker = Worker(settings, process, where=where)
        worker.reading = asyncio.create_task(self._read(worker))
        self.workers.append(worker)
        return worker

    @property
    def living(self) -> list[Worker]:
        """Those that the drill has not killed."""
        return [worker for worker in self.workers if not worker.struck]

    @property
    def producers(self) -> list[Worker]:
        """Those that live and send."""
        return [worker for worker in self.living if isinstance(worker.settings, ProducerSettings)]

    @property
    def consumers(self) -> list[Worker]:
        """Those that live and receive."""
        return [worker for worker in self.living if isinstance(worker.settings, ConsumerSettings)]

    @property
    def client(self) -> Mapping[str, str]:
        """What the producers say of their client; nothing before one has begun."""
        client = next((worker.client for worker in self.producers if worker.client), {})
        names = ", ".join(place.name for place in self._places if place.name)
        clocks = {key: value for place in self._places for key, value in place.facts.items()}
        return {**client, **({"on": names} if names else {}), **clocks}

    def alive(self) -> None:
        """Make sure that none has died.

        Raises:
            Inconclusive: one has; then the run proves nothing.
        """
        for worker in self.living:
            if worker.process.returncode is not None:
                raise Inconclusive(
                    f"{worker.name} ended with {worker.process.returncode} in the middle of the run",
                    detail="\n".join(worker.complaints) or None,
                )

    def sustained(self, seconds: float, now: float, since: float = 0.0) -> bool:
        """Tell whether every producer has had only successes for that long, all after ``since``, and still has."""
        return all(
            worker.count.first_ok is not None
            and worker.count.last_ok is not None
            and worker.count.last_ok - max(worker.count.first_ok, since) >= seconds
            and now - worker.count.last_ok <= GAP
            for worker in self.producers
        )

    @property
    def failed(self) -> int:
        """How many sends were refused or are indeterminate."""
        return sum(worker.count.refused + worker.count.indeterminate for worker in self.workers)

    @property
    def last_ok(self) -> float:
        """When the latest acknowledgement came; 0 when there was none."""
        return max((worker.count.last_ok or 0.0 for worker in self.producers), default=0.0)

    def silent(self, seconds: float, now: float) -> bool:
        """Tell whether no producer has had a success for that long."""
        return all(now - (worker.count.last_ok or 0.0) >= seconds for worker in self.producers)

    def trouble(self) -> str:
        """Say what every producer has seen so far, for a load that is not what it should be."""
        return "; ".join(
            f"{worker.name}: {worker.count.acknowledged} acknowledged, {worker.count.refused} refused, "
            f"{worker.count.indeterminate} indeterminate"
            for worker in self.producers
        )

    async def stop(self, workers: Sequence[Worker], seconds: float) -> None:
        """Let processes end in order: what is under way is finished first.

        Raises:
            Inconclusive: one did not end in time, or not well.
        """
        for worker in workers:
            if worker.process.stdin is not None and worker.process.returncode is None:
                worker.process.stdin.write(STOP)
        for worker in workers:
            try:
                async with asyncio.timeout(seconds):
                    await worker.process.wait()
                    if worker.reading is not None:
                        await worker.reading
            except TimeoutError:
                raise Inconclusive(f"{worker.name} did not end within {seconds:g} s") from None
            if worker.process.returncode or worker.summary is None:
                raise Inconclusive(
                    f"{worker.name} ended with {worker.process.returncode}",
                    detail="\n".join(worker.complaints) or None,
                )
            if worker.summary.lines != worker.lines.total():
                raise Inconclusive(
                    f"{worker.name} wrote {worker.summary.lines} lines, and {worker.lines.total()} of them came"
                )

    @property
    def lines(self) -> Mapping[str, int]:
        """How many lines came, by the name that they bear, of the processes that ended in order."""
        total: Counter[str] = Counter()
        for worker in self.workers:
            if worker.summary is not None:
                total += worker.lines
        return total

    async def close(self) -> None:
        """End every process that is left, and read what it still said.

        Consumers first: what one of them has read must be on record as sent, and a producer keeps its lines for
        ``FLUSH`` seconds. All that can be waited for is that they pass: a line that is not there is not seen.
        """
        await self._kill(self.consumers)
        if any(worker.process.returncode is None for worker in self.producers):
            await asyncio.sleep(5 * FLUSH)
        await self._kill(self.producers)
        ends = await asyncio.gather(*(place.close() for place in self._places), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def _kill(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            if worker.process.returncode is None:
                worker.process.kill()
        for worker in workers:
            await worker.process.wait()
            if worker.reading is not None:
                await worker.reading

    async def _read(self, worker: Worker) -> None:
        """Hand on whole lines as they come; one that is cut off by a death is dropped."""
        stdout, stderr = worker.process.stdout, worker.process.stderr
        if stdout is None or stderr is None:
            return
        complaining = asyncio.create_task(self._complaints(worker, stderr))
        rest = b""
        while data := await stdout.read(1 << 18):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._line(worker, line)
        await complaining

    def _line(self, worker: Worker, line: bytes) -> None:
        head = LOAD_LINE.match(line)
        if head is not None:
            t = float(head[1])
            worker.lines[head[2].decode()] += 1
            worker.count.take(t, head[3], head[4])
            self._recorder.line(t, line)
        elif line.startswith(CLIENT):
            worker.client = read_client(line)
        elif line.startswith(SUMMARY):
            worker.summary = read_summary(line)
        else:
            worker.complaints.append(line.decode(errors="replace"))

    async def _complaints(self, worker: Worker, stderr: asyncio.StreamReader) -> None:
        while data := await stderr.read(1 << 16):
            worker.complaints.extend(data.decode(errors="replace").splitlines())

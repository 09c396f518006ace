"""Processes of the load that live in the test's own process, and send to and read a scripted cluster's memory.

They say what real ones say, by the clock of that cluster; see :mod:`tests.support.scripted_cluster`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rmqops.chaos.load.clients.drivers import Settings
from rmqops.chaos.load.clients.settings import (
    CLIENT,
    STOP,
    ConsumerSettings,
    ProcessSummary,
    ProducerSettings,
    body,
    key,
    key_of,
)
from rmqops.model.history import Event

if TYPE_CHECKING:
    from tests.support.scripted_cluster import ScriptedCluster

LATENCY = 0.002
"""Seconds from a send to its outcome, and from a request to its answer."""


@dataclass
class ScriptedPlace:
    """Starts processes of the load; see :class:`rmqops.chaos.load.hosts.place.Place`."""

    of: Callable[[str], ScriptedCluster]
    """Finds the cluster of an address."""
    name: str = ""
    clock_error: float = 0.0

    @property
    def facts(self) -> Mapping[str, str]:
        return {}

    async def start(self, settings: Settings, run: Path) -> ScriptedProcess:
        cluster = self.of(settings.nameservers[0])
        process = ScriptedProcess(cluster, settings)
        cluster.started.append(process)
        return process

    async def close(self) -> None:
        """Do nothing."""


class ScriptedProcess:
    """A process of the load; see :class:`rmqops.chaos.load.hosts.place.Process`."""

    def __init__(self, cluster: ScriptedCluster, settings: Settings) -> None:
        self.settings = settings
        self._lines = 0
        self.stdin = self
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self.pid = 1000 + len(cluster.started)
        self.returncode: int | None = None
        self._cluster = cluster
        self._stopped = False
        self._ended = asyncio.Event()
        self._read: dict[tuple[str, str, int], int] = {}
        self._sends = 0
        work = self._produce(settings) if isinstance(settings, ProducerSettings) else self._consume(settings)
        self._work = asyncio.create_task(work)

    def write(self, data: bytes, /) -> None:
        """Be told to stop."""
        self._stopped = self._stopped or data == STOP

    def kill(self) -> None:
        """Die at once."""
        self.end(-9)

    def end(self, code: int) -> None:
        """Die of something."""
        if self.returncode is None:
            self.returncode = code
            self._work.cancel()
            self.stdout.feed_eof()
            self.stderr.feed_eof()
            self._ended.set()

    async def wait(self) -> int:
        """Return the exit code."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    async def _produce(self, settings: ProducerSettings) -> None:
        self._say(CLIENT + json.dumps({"driver": "native", "version": "0"}).encode() + b"}")
        await asyncio.sleep(settings.lead)
        for number in itertools.count():
            if self._stopped:
                break
            if settings.name not in self._cluster.deaf:
                await self._send(settings, number)
            await asyncio.sleep(1 / settings.rate - LATENCY if settings.rate else 0)
        self._finish(ProcessSummary(settings.name, sends=self._sends))

    async def _send(self, settings: ProducerSettings, number: int) -> None:
        """Send to the queues of the groups that have a master, by turns."""
        name = key(settings.prefix, number)
        self._sends += 1
        self._event("send", "invoke", topic=settings.topic, key=name)
        await asyncio.sleep(LATENCY)
        self._cluster.catch_up()
        masters = [master for master in self._cluster.masters.values() if master is not None]
        refusal = self._cluster.refusing(settings.name) if masters else "no master in the route"
        if refusal is not None:
            self._event("send", "fail", topic=settings.topic, key=name, error=refusal)
            return
        master = masters[number % len(masters)]
        queue = number // len(masters) % self._cluster.topics[master.name].get(settings.topic, 1)
        offset = self._cluster.append(str(master.group), settings.topic, queue, body(name, settings.size))
        self._event(
            "send", "ok", topic=settings.topic, broker=master.group, queue=queue, offset=offset, key=name,
            address=master.address,
        )  # fmt: skip

    async def _consume(self, settings: ConsumerSettings) -> None:
        while True:
            last = self._stopped
            if settings.name not in self._cluster.deaf:
                self._receive(settings)
            if last:
                break
            await asyncio.sleep(0.02)
        self._finish(ProcessSummary(settings.name, receives=sum(self._read.values())))

    def _receive(self, settings: ConsumerSettings) -> None:
        """Take every message that this process has not seen yet from whoever is master."""
        for place in list(self._cluster.queues):
            group, topic, queue = place
            master = self._cluster.masters[group]
            if topic != settings.topic or master is None:
                continue
            begin = self._read.get(place, 0)
            bodies = self._cluster.queues[place][begin:]
            for offset, content in enumerate(bodies, begin):
                self._event(
                    "receive", "ok", topic=topic, broker=group, queue=queue, offset=offset, key=key_of(content),
                    address=master.address,
                )  # fmt: skip
            self._read[place] = begin + len(bodies)

    def _event(self, op: str, kind: str, **fields: object) -> None:
        t = self._cluster.clock() - self.settings.epoch
        self._lines += 1
        self._say(Event(t, self.settings.name, op, kind, **fields).record().encode())  # type: ignore[arg-type]

    def _finish(self, summary: ProcessSummary) -> None:
        self._say(replace(summary, lines=self._lines).line())
        self.end(0)

    def _say(self, line: bytes) -> None:
        if self.returncode is None:
            self.stdout.feed_data(line + b"\n")

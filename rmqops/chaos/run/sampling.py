"""Ask some instances the same over and over, and tell of an answer when it changes and once a second."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from rmqops.model.history import Event
from rmqops.model.topology import Instance
from rmqops.remoting.client import Client

REPEAT: Final = 1.0
"""Seconds after which an answer is written down again though it has not changed."""

TIMEOUT: Final = 1.0

Answer = tuple[str, Mapping[str, str] | None]
"""Error, or empty; what was said."""
K = TypeVar("K", bound=Hashable)
"""What an answer is about."""


class Sampling(ABC, Generic[K]):
    """Asks each instance on a connection of its own; one is never asked again before it has answered.

    Args:
        asked: The instances.
        interval: Seconds between two samples of one of them.
        emit: Takes the events of the history.
        now: Seconds since the run's start.
        clients: Opens connections, with the time-outs that it is given.
    """

    def __init__(
        self,
        asked: Sequence[Instance],
        interval: float,
        emit: Callable[[Event], None],
        now: Callable[[], float],
        clients: Callable[..., Client],
    ) -> None:
        self._asked = asked
        self._interval = interval
        self._emit = emit
        self._now = now
        self._clients = clients
        self._sampling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sample from now on, until :meth:`close`."""
        self._sampling = asyncio.create_task(self._sample())

    def check(self) -> None:
        """Raise what has ended the sampling, if anything has."""
        if self._sampling is not None and self._sampling.done():
            self._sampling.result()

    async def close(self) -> None:
        """Sample no more. May be called again."""
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.gather(self._sampling, return_exceptions=True)

    @abstractmethod
    def answers(self, instance: Instance, client: Client) -> AsyncIterator[tuple[K, Answer]]:
        """Ask an instance once, and yield what it says as it comes."""

    @abstractmethod
    def event(self, t: float, instance: Instance, about: K, answer: Answer) -> Event:
        """Return the line that tells of an answer."""

    async def _sample(self) -> None:
        async with asyncio.TaskGroup() as group:
            for instance in self._asked:
                group.create_task(self._watch(instance))

    async def _watch(self, instance: Instance) -> None:
        loop = asyncio.get_running_loop()
        written: dict[K, tuple[float, Answer]] = {}
        async with self._clients(connect_timeout=TIMEOUT, request_timeout=TIMEOUT) as client:
            while True:
                due = loop.time() + self._interval
                async for about, answer in self.answers(instance, client):
                    t = self._now()
                    last = written.get(about)
                    if last is None or last[1] != answer or t - last[0] >= REPEAT:
                        written[about] = (t, answer)
                        self._emit(self.event(t, instance, about, answer))
                await asyncio.sleep(max(0.0, due - loop.time()))

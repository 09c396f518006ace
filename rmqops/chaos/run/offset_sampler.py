"""Watch what consumer groups have committed, as every member of every broker group says it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from rmqops.chaos.history.run_record import Subscription
from rmqops.errors import RemotingError
from rmqops.model.history import Event
from rmqops.model.topology import Instance, Topology
from rmqops.remoting.client import Client
from rmqops.remoting.group_admin import GroupAdmin

INTERVAL = 0.25
"""Seconds between two samples of one member; the next is never asked for before the last was answered."""

REPEAT = 1.0
"""Seconds after which an answer is written down again though it has not changed."""

TIMEOUT = 1.0

_Answer = tuple[str, Mapping[str, str] | None]
"""Error, or empty; the offsets by queue."""


class OffsetSampler:
    """Asks each member on a connection of its own, by one request for each consumer group and topic.

    Slaves are asked as well: what one of them has when it becomes master is what consumers begin from.

    Args:
        topology: Whom to ask.
        subscriptions: What the consumers read; those of no group commit nothing, and are not asked about.
        emit: Takes the events of the history.
        now: Seconds since the run's start.
        clients: Opens connections, with the time-outs that it is given.
    """

    def __init__(
        self,
        topology: Topology,
        subscriptions: Collection[Subscription],
        emit: Callable[[Event], None],
        now: Callable[[], float],
        clients: Callable[..., Client] = Client,
    ) -> None:
        self._topology = topology
        self._asked = sorted({(each.group, each.topic) for each in subscriptions if each.group is not None})
        self._emit = emit
        self._now = now
        self._clients = clients
        self._sampling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sample from now on, until :meth:`close`; without a consumer group there is nothing to ask."""
        if self._asked and self._sampling is None:
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

    async def _sample(self) -> None:
        async with asyncio.TaskGroup() as group:
            for member in self._topology.brokers:
                group.create_task(self._watch(member))

    async def _watch(self, member: Instance) -> None:
        loop = asyncio.get_running_loop()
        written: dict[tuple[str, str], tuple[float, _Answer]] = {}
        async with self._clients(connect_timeout=TIMEOUT, request_timeout=TIMEOUT) as client:
            admin = GroupAdmin(client)
            while True:
                due = loop.time() + INTERVAL
                for asked in self._asked:
                    answer = await self._ask(member, admin, *asked)
                    t = self._now()
                    last = written.get(asked)
                    if last is None or last[1] != answer or t - last[0] >= REPEAT:
                        written[asked] = (t, answer)
                        self._write(t, member, *asked, answer)
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _ask(self, member: Instance, admin: GroupAdmin, group: str, topic: str) -> _Answer:
        try:
            progress = await admin.progress(member.address, group, topic)
        except RemotingError as error:
            return error.message, None
        return "", {str(each.queue.number): str(each.consumed) for each in progress if each.queue.topic == topic}

    def _write(self, t: float, member: Instance, group: str, topic: str, answer: _Answer) -> None:
        error, value = answer
        self._emit(
            Event(
                t,
                member.name,
                "committed",
                "fail" if error else "ok",
                topic=topic,
                broker=member.group,
                key=group,
                error=error or None,
                address=member.address,
                value=value,
            )
        )

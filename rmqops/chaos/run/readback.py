"""Read every queue back from every member, up to its end, and never for a fixed time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rmqops.chaos.history.batches import Batch, pack
from rmqops.chaos.history.format import DRAIN
from rmqops.chaos.load.clients.settings import key_of
from rmqops.errors import OperationFailed, RemotingError
from rmqops.model.history import Event, Type
from rmqops.model.topology import Instance, Topology
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.consumer import Consumer
from rmqops.system import waiting

STALL = 20.0
"""Seconds without any progress after which a queue is given up, which the history says."""


@dataclass(frozen=True)
class ReadBack:
    """What was read."""

    messages: int
    members: int
    failures: tuple[str, ...]


_Drain = tuple[int, list[str]]
"""How many messages one member gave, and what went wrong."""


def _read_back(drains: Sequence[_Drain], failures: Sequence[str]) -> ReadBack:
    """Sum up what members gave; ``failures`` are those of whoever was not read at all."""
    return ReadBack(
        messages=sum(count for count, _ in drains),
        members=len(drains),
        failures=(*failures, *(text for _, texts in drains for text in texts)),
    )


class Reader:
    """Drains the queues of one topic.

    Args:
        topology: The cluster.
        client: For the connections.
        topic: The topic.
        queues: Its queues on each group.
        emit: Takes the events of the history, what one answer brought together.
        now: Seconds since the run's start.
        prefix: Begins the names of its processes in the history.
        value: What stands beside the end that is to be reached.
    """

    def __init__(
        self,
        topology: Topology,
        client: Client,
        topic: str,
        queues: int,
        *,
        emit: Callable[[Event | Batch], None],
        now: Callable[[], float],
        prefix: str = DRAIN,
        value: Mapping[str, str] | None = None,
    ) -> None:
        self._topology = topology
        self._admin = Admin(client)
        self._consumer = Consumer(client)
        self._topic = topic
        self._queues = range(queues)
        self._emit = emit
        self._now = now
        self._prefix = prefix
        self._value = value

    async def ends(self, member: Instance) -> dict[int, int]:
        """Return the end offset of each queue on one member.

        Raises:
            RemotingError: it did not say.
        """
        return {queue: await self._admin.max_offset(member.address, self._topic, queue) for queue in self._queues}

    async def level(self, masters: Mapping[str, Instance], seconds: float) -> None:
        """Wait until every member of every group has as many messages as its master.

        Raises:
            OperationFailed: not in time; says who lacks what.
        """

        async def lagging() -> str | None:
            for group in self._topology.groups:
                of_master = await self.ends(masters[group.name])
                for member in group.members:
                    ends = await self.ends(member)
                    if ends != of_master:
                        return f"{member.name} ends at {ends}, its master at {of_master}"
            return None

        await waiting.until("replicas level", lagging, seconds)

    async def read(self, masters: Mapping[str, Instance], levelling: float) -> ReadBack:
        """Drain the masters; then, when the others are level or ``levelling`` seconds have passed, the others.

        Each is read to its own end, so that neither one that lacks messages can pass nor one that has more.
        """
        drains, failures = await self._each([masters[group.name] for group in self._topology.groups])
        try:
            await self.level(masters, levelling)
        except OperationFailed as error:
            failures.append(error.message)
        others = [member for member in self._topology.brokers if member not in masters.values()]
        drains_of_others, failures_of_others = await self._each(others)
        return _read_back([*drains, *drains_of_others], [*failures, *failures_of_others])

    async def read_each(self, members: Sequence[Instance]) -> ReadBack:
        """Drain members as they are, each to its own end."""
        return _read_back(*await self._each(members))

    async def _each(self, members: Sequence[Instance]) -> tuple[list[_Drain], list[str]]:
        """Drain members side by side; return what they gave, and what the silent ones are held against."""
        answers = await asyncio.gather(*(self._own(member) for member in members))
        drains = [answer for answer in answers if not isinstance(answer, str)]
        return drains, [answer for answer in answers if isinstance(answer, str)]

    async def _own(self, member: Instance) -> _Drain | str:
        """Drain one member to its own ends, or say why these are not known."""
        try:
            ends = await self.ends(member)
        except RemotingError as error:
            return f"{member.name} does not say where its queues end: {error}"
        return await self._member(member, ends)

    async def _member(self, member: Instance, ends: Mapping[int, int]) -> _Drain:
        """Drain the queues of one member one by one; return how many messages and what went wrong."""
        count, failures = 0, []
        for queue, end in ends.items():
            self._emit(self._event(self._now(), member, queue, "invoke", offset=end))
            try:
                async for messages in self._consumer.drain_batches(
                    member.address, self._topic, queue, end, begin=0, stall=STALL
                ):
                    count += len(messages)
                    now = self._now()
                    for record in pack(
                        self._event(now, member, queue, "ok", offset=each.offset, key=key_of(each.body))
                        for each in messages
                    ):
                        self._emit(record)
            except (RemotingError, OperationFailed) as error:
                failures.append(f"{member.name} queue {queue}: {error.message}")
                self._emit(self._event(self._now(), member, queue, "fail", error=error.message))
        return count, failures

    def _event(
        self,
        t: float,
        member: Instance,
        queue: int,
        kind: Type,
        *,
        offset: int | None = None,
        key: str | None = None,
        error: str | None = None,
    ) -> Event:
        return Event(
            t,
            f"{self._prefix}{member.name}",
            "receive",
            kind,
            topic=self._topic,
            broker=member.group,
            queue=queue,
            offset=offset,
            key=key,
            error=error,
            address=member.address,
            value=self._value if kind == "invoke" else None,
        )

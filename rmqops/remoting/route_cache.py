"""Where a topic can be written to, as the NameServers say, kept and refreshed.

A route is asked for when it is first needed, again when it is older than the poll interval (in the background),
and again before the next send after an address of it failed. Each refresh is made once for all who wait, and two
of a topic are at least :data:`MIN_INTERVAL` apart, so that a producer whose broker is dead asks 50 times a second,
not as often as it can fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rmqops.errors import RemotingError
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client, was_cancelled
from rmqops.remoting.routes import WriteQueue, write_queues

MIN_INTERVAL: Final = 0.02
"""Seconds between two refreshes of a topic's route."""


@dataclass(slots=True)
class _Entry:
    queues: tuple[WriteQueue, ...]
    reason: str
    """Why there are no queues, or what went wrong with the last refresh."""
    asked: float
    stale: bool


class RouteCache:
    """The routes of any number of topics.

    Args:
        client: for the connections to the NameServers.
        nameservers: any of them; one is asked until it fails, then the next. One that knows no master for the
            topic is not taken at its word while another does.
        poll_interval: seconds; 30 is the official client's ``pollNameServerInterval``.
        timeout: seconds for one NameServer's answer.
    """

    def __init__(
        self, client: Client, nameservers: Sequence[str], *, poll_interval: float = 30.0, timeout: float = 1.0
    ) -> None:
        self._admin = Admin(client, timeout=timeout)
        self._nameservers = list(nameservers)
        self._poll_interval = poll_interval
        self._entries: dict[str, _Entry] = {}
        self._refreshing: dict[str, asyncio.Task[_Entry]] = {}

    def current(self, topic: str) -> tuple[WriteQueue, ...]:
        """Return the topic's queues if they can be used without asking; else nothing."""
        entry = self._entries.get(topic)
        if entry is None or entry.stale:
            return ()
        if asyncio.get_running_loop().time() - entry.asked > self._poll_interval:
            self._refresh(topic)
        return entry.queues

    async def queues(self, topic: str) -> tuple[tuple[WriteQueue, ...], str]:
        """Return the topic's queues after asking, and, if there are none, why.

        If no NameServer answers, or those that do know nothing of the topic, as one that has just been started,
        the queues known before are returned: brokers may well be there. So does the official client
        (``MQClientInstance.updateTopicRouteInfoFromNameServer``).
        """
        refresh = self._refresh(topic)
        try:
            entry = await asyncio.shield(refresh)
        except asyncio.CancelledError:
            if refresh.cancelled() and not was_cancelled():
                return (), "the producer was closed"
            raise
        return entry.queues, entry.reason

    def failed(self, address: str) -> None:
        """Note that an address did not do what a master does; routes through it are asked for again."""
        for entry in self._entries.values():
            if any(queue.address == address for queue in entry.queues):
                entry.stale = True

    async def close(self) -> None:
        """End the refreshes under way."""
        tasks = tuple(self._refreshing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._refreshing.clear()

    def _refresh(self, topic: str) -> asyncio.Task[_Entry]:
        task = self._refreshing.get(topic)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask_all(topic))
            self._refreshing[topic] = task
            task.add_done_callback(lambda done: self._refreshed(topic, done))
        return task

    def _refreshed(self, topic: str, task: asyncio.Task[_Entry]) -> None:
        self._refreshing.pop(topic, None)
        if not task.cancelled() and task.exception() is None:
            self._entries[topic] = task.result()

    async def _ask_all(self, topic: str) -> _Entry:
        loop = asyncio.get_running_loop()
        before = self._entries.get(topic)
        if before is not None:
            await asyncio.sleep(max(0.0, before.asked + MIN_INTERVAL - loop.time()))
        failures: list[str] = []
        answered = False
        for nameserver in tuple(self._nameservers):
            try:
                route = await self._admin.route(nameserver, topic)
            except RemotingError as error:
                failures.append(str(error))
                self._nameservers.remove(nameserver)
                self._nameservers.append(nameserver)
                continue
            answered = answered or route is not None
            if route is not None and (queues := write_queues(route)):
                return _Entry(queues, "", loop.time(), stale=False)
            known = "has no master for" if route is not None else "does not know"
            failures.append(f"{nameserver} {known} the topic {topic}")
        last_known = () if answered or before is None else before.queues
        return _Entry(last_known, "no route: " + "; ".join(failures), loop.time(), stale=True)

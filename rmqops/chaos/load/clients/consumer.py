"""Read every queue from the current master, from its beginning on, and go on by offset after a failover.

A group that elects nobody is read from a slave while the NameServers name no master, and from its master again as
soon as they do; so does the official client (``MQClientInstance.findBrokerAddressInSubscribe``). A consumer that
is to read slaves does so for every group, and from the master where no slave answers.
"""

from __future__ import annotations

import asyncio

from rmqops.chaos.history.format import ASKED, SERVED_BY
from rmqops.chaos.load.clients.outlet import Outlet
from rmqops.chaos.load.clients.settings import ConsumerSettings, ProcessSummary, Source, key_of
from rmqops.errors import OperationFailed, RemotingError
from rmqops.model.history import Event
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.consumer import Consumer, Pulled, PullStatus
from rmqops.remoting.messages import StoredMessage

TIMEOUT = 2.0
SUSPEND = 1.0
"""Seconds a broker may wait for a message before it answers."""
RETRY = 0.1
"""Seconds before a queue is asked again after a failure; so long a route is believed, too."""
POLL = 1.0
"""Seconds for which one that reads slaves believes a route: a slave that is elected gives no sign of it."""
SHUN = 5.0
"""Seconds for which a slave that did not answer is not asked again."""
REST = 5.0
"""Seconds without progress after which the rest of a queue is left."""


async def consume(settings: ConsumerSettings, outlet: Outlet, stop: asyncio.Event) -> ProcessSummary:
    """Read until ``stop``, then on to the end of every queue."""
    async with Client(connect_timeout=TIMEOUT, request_timeout=TIMEOUT) as client:
        reader = _Reader(settings, outlet, client)
        await reader.read(stop)
        await reader.finish()
        return ProcessSummary(settings.name, receives=reader.received)


class _Reader:
    def __init__(self, settings: ConsumerSettings, outlet: Outlet, client: Client) -> None:
        self._settings = settings
        self._outlet = outlet
        self._admin = Admin(client)
        self._consumer = Consumer(client)
        self._masters: dict[str, str] = {}
        self._slaves: dict[str, list[str]] = {}
        """Who may be read in the place of a master."""
        self._failed: dict[str, float] = {}
        """When a slave last did not answer."""
        self._asked = -RETRY
        self._asking = asyncio.Lock()
        self._offsets = {(group, queue): 0 for group in settings.groups for queue in range(settings.queues)}
        self.received = 0

    async def read(self, stop: asyncio.Event) -> None:
        """Follow every queue until ``stop``."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._follow(*place)) for place in self._offsets]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def finish(self) -> None:
        """Read on to the end that every queue has now; what cannot be had in time is left to the read-back.

        One that was cut off and came back answers, and knows less than the master of now: that is asked for anew.
        """
        self._masters.clear()
        await asyncio.gather(*(self._finish(*place) for place in self._offsets))

    async def _follow(self, group: str, queue: int) -> None:
        while True:
            address, role = await self._source(group)
            if address is None:
                await asyncio.sleep(RETRY)
                continue
            offset, asked = self._offsets[group, queue], self._outlet.now()
            try:
                # A slave answers a pull that waits only when it looks again, every 5 s.
                suspend = SUSPEND if role == "master" else 0.0
                pulled = await self._consumer.pull(address, self._settings.topic, queue, offset, suspend=suspend)
            except RemotingError:
                # An outage is what the drill is about; the producers' outcomes and the routes tell of it.
                self._masters.pop(group, None)
                self._failed[address] = asyncio.get_running_loop().time()
                await asyncio.sleep(RETRY)
                continue
            if role == "master" and pulled.status is PullStatus.NOT_FOUND and pulled.max_offset <= offset:
                self._nothing(group, queue, offset, pulled.address, asked)
            await self._take(group, queue, pulled, role)
            if role == "slave" and pulled.status is not PullStatus.FOUND:
                await asyncio.sleep(RETRY)

    async def _source(self, group: str) -> tuple[str | None, Source]:
        """Return who is to be read, and as what."""
        master = await self._master(group)
        if master is None or self._settings.source == "slave":
            long_ago = asyncio.get_running_loop().time() - SHUN
            slaves = self._slaves.get(group, [])
            awake = [slave for slave in slaves if self._failed.get(slave, long_ago) <= long_ago]
            if awake or (master is None and slaves):
                return (awake or slaves)[0], "slave"
        return master, "master"

    async def _take(self, group: str, queue: int, pulled: Pulled, role: Source) -> None:
        for message in pulled.messages:
            self._receive(group, message, pulled.address, role)
        if pulled.min_offset > self._offsets[group, queue]:
            self._offsets[group, queue] = pulled.min_offset
        elif pulled.status is not PullStatus.FOUND:
            # A master that has less than we have read is waited for: a consumer never goes back by itself.
            await asyncio.sleep(RETRY if pulled.max_offset < self._offsets[group, queue] else 0)

    async def _finish(self, group: str, queue: int) -> None:
        loop, topic = asyncio.get_running_loop(), self._settings.topic
        deadline = loop.time() + REST
        while True:
            master = await self._master(group)
            if master is not None:
                try:
                    end = await self._admin.max_offset(master, topic, queue)
                    begin = self._offsets[group, queue]
                    async for message in self._consumer.drain(master, topic, queue, end, begin=begin, stall=REST):
                        self._receive(group, message, master, "master")
                except (RemotingError, OperationFailed):
                    self._masters.pop(group, None)
                else:
                    return
            if loop.time() >= deadline:
                return
            await asyncio.sleep(RETRY)

    def _receive(self, group: str, message: StoredMessage, address: str, role: Source) -> None:
        self.received += 1
        self._offsets[group, message.queue] = message.offset + 1
        self._outlet.event(
            Event(
                self._outlet.now(),
                self._settings.name,
                "receive",
                "ok",
                message.topic,
                group,
                message.queue,
                message.offset,
                key_of(message.body),
                address=address,
                value={SERVED_BY: role} if self._settings.source else None,
            )
        )

    def _nothing(self, group: str, queue: int, offset: int, address: str, asked: float) -> None:
        """Tell that a master had nothing at an offset all the while from ``asked`` until now."""
        self._outlet.event(
            Event(
                self._outlet.now(),
                self._settings.name,
                "receive",
                "info",
                self._settings.topic,
                group,
                queue,
                offset,
                address=address,
                value={ASKED: f"{asked:.6f}"},
            )
        )

    async def _master(self, group: str) -> str | None:
        """Return the group's master; the NameServers are asked once for all queues that wait."""
        if self._outdated(group):
            async with self._asking:
                if self._outdated(group):
                    self._asked = asyncio.get_running_loop().time()
                    await self._ask()
        return self._masters.get(group)

    def _outdated(self, group: str) -> bool:
        age = asyncio.get_running_loop().time() - self._asked
        return (age >= RETRY and group not in self._masters) or (age >= POLL and self._settings.source == "slave")

    async def _ask(self) -> None:
        for server in self._settings.nameservers:
            try:
                info = await self._admin.cluster_info(server)
            except RemotingError:
                continue
            self._masters = {
                name: known.master
                for name, known in info.groups.items()
                if known.master and name in self._settings.groups
            }
            read = self._settings.groups if self._settings.source == "slave" else self._settings.unelecting
            self._slaves = {
                name: [address for _, address in sorted(known.slaves.items())]
                for name, known in info.groups.items()
                if name in read
            }
            if self._masters:
                return

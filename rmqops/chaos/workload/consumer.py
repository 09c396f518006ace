"""Read every queue from the current master, from its beginning on, and go on by offset after a failover.

A group that elects nobody is read from a slave while the NameServers name no master, and from its master again as
soon as they do; so does the official client (``MQClientInstance.findBrokerAddressInSubscribe``).
"""

from __future__ import annotations

import asyncio

from rmqops.chaos.workload.outlet import Outlet
from rmqops.chaos.workload.settings import ConsumerSettings, Summary, key_of
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
REST = 5.0
"""Seconds without progress after which the rest of a queue is left."""


async def consume(settings: ConsumerSettings, outlet: Outlet, stop: asyncio.Event) -> Summary:
    """Read until ``stop``, then on to the end of every queue."""
    async with Client(connect_timeout=TIMEOUT, request_timeout=TIMEOUT) as client:
        reader = _Reader(settings, outlet, client)
        await reader.read(stop)
        await reader.finish()
        return Summary(settings.name, receives=reader.received)


class _Reader:
    def __init__(self, settings: ConsumerSettings, outlet: Outlet, client: Client) -> None:
        self._settings = settings
        self._outlet = outlet
        self._admin = Admin(client)
        self._consumer = Consumer(client)
        self._masters: dict[str, str] = {}
        self._slaves: dict[str, str] = {}
        """Who is read in the place of a master."""
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
        """Read on to the end that every queue has now; what cannot be had in time is left to the read-back."""
        await asyncio.gather(*(self._finish(*place) for place in self._offsets))

    async def _follow(self, group: str, queue: int) -> None:
        while True:
            master = await self._master(group)
            source = master or self._slaves.get(group)
            if source is None:
                await asyncio.sleep(RETRY)
                continue
            offset = self._offsets[group, queue]
            try:
                # A slave answers a pull that waits only when it looks again, every 5 s.
                suspend = SUSPEND if master else 0.0
                pulled = await self._consumer.pull(source, self._settings.topic, queue, offset, suspend=suspend)
            except RemotingError:
                # An outage is what the drill is about; the producers' outcomes and the routes tell of it.
                self._masters.pop(group, None)
                await asyncio.sleep(RETRY)
                continue
            await self._take(group, queue, pulled)
            if master is None and pulled.status is not PullStatus.FOUND:
                await asyncio.sleep(RETRY)

    async def _take(self, group: str, queue: int, pulled: Pulled) -> None:
        for message in pulled.messages:
            self._receive(group, message, pulled.address)
        if pulled.min_offset > self._offsets[group, queue]:
            self._offsets[group, queue] = pulled.min_offset
        elif pulled.status is not PullStatus.FOUND:
            # A master that has less than we have read is waited for: a consumer never goes back by itself.
            await asyncio.sleep(RETRY if pulled.max_offset < self._offsets[group, queue] else 0)

    async def _finish(self, group: str, queue: int) -> None:
        master = await self._master(group)
        if master is None:
            return
        topic, begin = self._settings.topic, self._offsets[group, queue]
        try:
            end = await self._admin.max_offset(master, topic, queue)
            async for message in self._consumer.drain(master, topic, queue, end, begin=begin, stall=REST):
                self._receive(group, message, master)
        except (RemotingError, OperationFailed):
            self._masters.pop(group, None)

    def _receive(self, group: str, message: StoredMessage, address: str) -> None:
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
            )
        )

    async def _master(self, group: str) -> str | None:
        """Return the group's master; the NameServers are asked once for all queues that wait."""
        if group not in self._masters:
            async with self._asking:
                now = asyncio.get_running_loop().time()
                if group not in self._masters and now - self._asked >= RETRY:
                    self._asked = now
                    await self._ask()
        return self._masters.get(group)

    async def _ask(self) -> None:
        for server in self._settings.nameservers:
            try:
                info = await self._admin.cluster_info(server)
            except RemotingError:
                continue
            found = {name: known.master for name, known in info.groups.items() if known.master}
            self._masters = {name: address for name, address in found.items() if name in self._settings.groups}
            self._slaves = {
                name: known.slaves[min(known.slaves)]
                for name, known in info.groups.items()
                if name in self._settings.unelecting and known.slaves
            }
            if self._masters:
                return

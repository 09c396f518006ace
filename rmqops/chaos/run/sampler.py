"""Watch what every NameServer says about every group's members, every 20 ms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from rmqops.errors import RemotingError
from rmqops.model.history import Event
from rmqops.model.roles import MASTER_ID
from rmqops.model.topology import Instance, Topology
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client

INTERVAL = 0.02
"""Seconds between two samples of one NameServer; the next is never asked for before the last was answered."""

REPEAT = 1.0
"""Seconds after which an answer is written down again though it has not changed."""

TIMEOUT = 1.0

_Answer = tuple[str, Mapping[str, str] | None]
"""Error, or empty; the addresses by broker id."""


class RouteSampler:
    """Asks each NameServer on a connection of its own and keeps the masters that it names.

    Args:
        topology: Whom to ask, and about which groups.
        emit: Takes the events of the history.
        now: Seconds since the run's start.
        clients: Opens connections, with the time-outs that it is given.
    """

    def __init__(
        self,
        topology: Topology,
        emit: Callable[[Event], None],
        now: Callable[[], float],
        clients: Callable[..., Client] = Client,
    ) -> None:
        self._topology = topology
        self._emit = emit
        self._now = now
        self._clients = clients
        self._sampling: asyncio.Task[None] | None = None
        self.masters: dict[str, Mapping[str, str | None]] = {}
        """The master of each group as each NameServer said it last; none while it does not answer."""

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

    def agreed(self, group: str, deaf: Collection[str] = ()) -> Instance | None:
        """Return the group's master as all NameServers name it but those in ``deaf``, who may know nothing."""
        masters = {route.get(group) for server, route in self.masters.items() if server not in deaf}
        address = masters.pop() if len(masters) == 1 else None
        return self._topology.at(address) if address else None

    async def _sample(self) -> None:
        async with asyncio.TaskGroup() as group:
            for server in self._topology.nameservers:
                group.create_task(self._watch(server))

    async def _watch(self, server: Instance) -> None:
        loop = asyncio.get_running_loop()
        written: dict[str | None, tuple[float, _Answer]] = {}
        async with self._clients(connect_timeout=TIMEOUT, request_timeout=TIMEOUT) as client:
            admin = Admin(client)
            while True:
                due = loop.time() + INTERVAL
                for group, answer in (await self._ask(server, admin)).items():
                    t = self._now()
                    last = written.get(group)
                    if last is None or last[1] != answer or t - last[0] >= REPEAT:
                        written[group] = (t, answer)
                        self._write(t, server.name, group, answer)
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _ask(self, server: Instance, admin: Admin) -> dict[str | None, _Answer]:
        names = [group.name for group in self._topology.groups]
        try:
            info = await admin.cluster_info(server.address)
        except RemotingError as error:
            self.masters[server.name] = dict.fromkeys(names)
            return {None: (error.message, None)}
        members = {name: info.groups[name].addresses if name in info.groups else {} for name in names}
        self.masters[server.name] = {name: addresses.get(MASTER_ID) for name, addresses in members.items()}
        return {
            name: ("", {str(number): address for number, address in sorted(addresses.items())})
            for name, addresses in members.items()
        }

    def _write(self, t: float, server: str, group: str | None, answer: _Answer) -> None:
        error, value = answer
        if error:
            self._emit(Event(t, server, "route", "fail", error=error))
        else:
            self._emit(Event(t, server, "route", "ok", broker=group, value=value))

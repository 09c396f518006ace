"""Watch what every NameServer says about every group's members, every 20 ms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping

from rmqops.chaos.run.sampling import Answer, Sampling
from rmqops.errors import RemotingError
from rmqops.model.history import Event
from rmqops.model.roles import MASTER_ID
from rmqops.model.topology import Instance, Topology
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client

INTERVAL = 0.02
"""Seconds between two samples of one NameServer."""


class RouteSampler(Sampling[str | None]):
    """Asks each NameServer about each group, and keeps the masters that it names.

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
        super().__init__(topology.nameservers, INTERVAL, emit, now, clients)
        self._topology = topology
        self.masters: dict[str, Mapping[str, str | None]] = {}
        """The master of each group as each NameServer said it last; none while it does not answer."""

    def agreed(self, group: str, deaf: Collection[str] = ()) -> Instance | None:
        """Return the group's master as all NameServers name it but those in ``deaf``, who may know nothing."""
        masters = {route.get(group) for server, route in self.masters.items() if server not in deaf}
        address = masters.pop() if len(masters) == 1 else None
        return self._topology.at(address) if address else None

    async def answers(self, instance: Instance, client: Client) -> AsyncIterator[tuple[str | None, Answer]]:
        """Yield a NameServer's addresses of each group by broker id; an error is about no group."""
        names = [group.name for group in self._topology.groups]
        try:
            info = await Admin(client).cluster_info(instance.address)
        except RemotingError as error:
            self.masters[instance.name] = dict.fromkeys(names)
            yield None, (error.message, None)
            return
        members = {name: info.groups[name].addresses if name in info.groups else {} for name in names}
        self.masters[instance.name] = {name: addresses.get(MASTER_ID) for name, addresses in members.items()}
        for name, addresses in members.items():
            yield name, ("", {str(number): address for number, address in sorted(addresses.items())})

    def event(self, t: float, instance: Instance, about: str | None, answer: Answer) -> Event:
        """Return a line of ``route``."""
        error, value = answer
        if error:
            return Event(t, instance.name, "route", "fail", error=error)
        return Event(t, instance.name, "route", "ok", broker=about, value=value)

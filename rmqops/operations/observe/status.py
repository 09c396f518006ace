"""What a cluster says about itself: every NameServer and every broker asked, all at once.

Health is an answer, not an open port: one master a group on which all NameServers agree, every member registered
with each of them and answering, none far behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from rmqops.errors import RemotingError
from rmqops.model.roles import MASTER_ID
from rmqops.model.topology import Group, Instance, Topology
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.routes import ClusterInfo, RuntimeInfo
from rmqops.system import event_loop

TIMEOUT = 3.0
"""Seconds for one answer."""

MAX_LAG = 16 * 1024 * 1024
"""Bytes of commit log that a slave may lack; more is a problem. Under load a level one lacks tens of kilobytes."""

MemberRole = Literal["master", "slave"]
_T = TypeVar("_T")


@dataclass(frozen=True)
class NameServerStatus:
    """One NameServer."""

    name: str
    address: str
    reachable: bool


@dataclass(frozen=True)
class Member:
    """One broker."""

    name: str
    address: str
    role: MemberRole | None
    """As the NameServers say it; None when none of them has it, or when they differ."""
    alive: bool
    """Whether it answers."""


@dataclass(frozen=True)
class GroupStatus:
    """One broker group."""

    name: str
    mode: str
    master: str | None
    """The address on which all NameServers that answer agree."""
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Status:
    """A whole cluster."""

    cluster: str
    version: str
    nameservers: tuple[NameServerStatus, ...]
    groups: tuple[GroupStatus, ...]
    troubles: tuple[tuple[tuple[str, ...], str], ...]
    """Each problem, and the instances that it is about."""
    unlisted: tuple[str, ...] = ()
    """A sentence for each group or member that is registered and in no inventory: no business of a gate, which
    waits for what the inventory has."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Each problem as a sentence."""
        return tuple(text for _, text in self.troubles)

    @property
    def ailing(self) -> tuple[str, ...]:
        """Instances that a problem is about."""
        return tuple(dict.fromkeys(name for names, _ in self.troubles for name in names))

    @property
    def healthy(self) -> bool:
        """Whether there is no problem."""
        return not self.troubles

    def about(self, names: Collection[str]) -> Status:
        """Return the status with only the problems that some instances have a part in."""
        return replace(self, troubles=tuple(item for item in self.troubles if not set(names).isdisjoint(item[0])))

    def json(self, releases: Mapping[str, str] | None = None) -> dict[str, object]:
        """Return the object that ``rmqops status --json`` prints (docs: the contract).

        Args:
            releases: Name of the release that each process was started from; where it is given, each entry has it.
        """

        def entry(item: NameServerStatus | Member) -> dict[str, object]:
            return {**vars(item), **({} if releases is None else {"release": releases.get(item.name)})}

        return {
            "cluster": self.cluster,
            "version": self.version,
            "healthy": self.healthy,
            "nameservers": [entry(server) for server in self.nameservers],
            "groups": [
                {
                    "name": group.name,
                    "mode": group.mode,
                    "master": group.master,
                    "members": [entry(member) for member in group.members],
                }
                for group in self.groups
            ],
            "problems": list(self.problems),
        }


@dataclass(frozen=True)
class Answers:
    """What was answered; an instance that did not is missing."""

    routes: Mapping[str, ClusterInfo]
    """By NameServer."""
    runtimes: Mapping[str, RuntimeInfo]
    """By broker."""
    errors: Mapping[str, str]
    """Why an instance is missing."""


def observe(topology: Topology, clients: Callable[..., Client] = Client) -> Status:
    """Ask the whole cluster and return its status; never raises for a cluster that is down."""
    return assess(topology, hear(topology, clients))


def hear(topology: Topology, clients: Callable[..., Client] = Client) -> Answers:
    """Ask the whole cluster, over a client that ``clients`` opens, and return what was answered."""

    async def asked() -> Answers:
        async with clients(connect_timeout=TIMEOUT, request_timeout=TIMEOUT) as client:
            return await ask(topology, client)

    return event_loop.run(asked())


async def ask(topology: Topology, client: Client) -> Answers:
    """Ask every NameServer for its route and every broker for its state, all at once."""
    admin = Admin(client)
    errors: dict[str, str] = {}

    async def answer(instance: Instance, question: Awaitable[_T]) -> tuple[str, _T] | None:
        try:
            return instance.name, await question
        except RemotingError as error:
            errors[instance.name] = str(error)
            return None

    routes, runtimes = await asyncio.gather(
        asyncio.gather(*(answer(item, admin.cluster_info(item.address)) for item in topology.nameservers)),
        asyncio.gather(*(answer(item, admin.runtime_info(item.address)) for item in topology.brokers)),
    )
    return Answers(dict(filter(None, routes)), dict(filter(None, runtimes)), errors)


def assess(topology: Topology, answers: Answers) -> Status:
    """Hold the answers against the topology."""
    return Status(
        cluster=topology.cluster,
        version=topology.version,
        nameservers=tuple(
            NameServerStatus(server.name, server.address, server.name in answers.routes)
            for server in topology.nameservers
        ),
        groups=tuple(_group(group, answers) for group in topology.groups),
        troubles=tuple((tuple(names), text) for names, text in _problems(topology, answers)),
        unlisted=tuple(_unlisted(topology, answers)),
    )


def ids(instance: Instance, answers: Answers) -> dict[str, int]:
    """Return the broker id under which each NameServer has a broker; found by address, which is unique."""
    return {
        server: number
        for server, info in answers.routes.items()
        for group in info.groups.values()
        for number, address in group.addresses.items()
        if address == instance.address
    }


def _group(group: Group, answers: Answers) -> GroupStatus:
    masters = {_master(group, server, answers) for server in answers.routes}
    return GroupStatus(
        name=group.name,
        mode=group.mode,
        master=masters.pop() if len(masters) == 1 else None,
        members=tuple(_member(member, answers) for member in group.members),
    )


def _master(group: Group, server: str, answers: Answers) -> str | None:
    return next((item.address for item in group.members if ids(item, answers).get(server) == MASTER_ID), None)


def _member(member: Instance, answers: Answers) -> Member:
    roles: set[MemberRole] = {
        "master" if number == MASTER_ID else "slave" for number in ids(member, answers).values()
    }
    return Member(
        member.name, member.address, roles.pop() if len(roles) == 1 else None, member.name in answers.runtimes
    )


def _problems(topology: Topology, answers: Answers) -> Iterator[tuple[Sequence[str], str]]:
    for server in topology.nameservers:
        if server.name in answers.errors:
            yield [server.name], f"NameServer {server.name} does not answer: {answers.errors[server.name]}"
    for group in topology.groups:
        yield from _group_problems(group, answers)


def _group_problems(group: Group, answers: Answers) -> Iterator[tuple[Sequence[str], str]]:
    names = [member.name for member in group.members]
    masters = {server: _master(group, server, answers) for server in answers.routes}
    without = [server for server, master in masters.items() if master is None]
    if without:
        yield names, f"group {group.name} has no master at {', '.join(without)}"
    known = {master for master in masters.values() if master}
    if len(known) > 1:
        opinions = ", ".join(f"{server} says {master}" for server, master in masters.items())
        yield names, f"the NameServers differ on the master of group {group.name}: {opinions}"
    for member in group.members:
        if member.name in answers.errors:
            yield [member.name], f"broker {member.name} does not answer: {answers.errors[member.name]}"
        missing = sorted(set(answers.routes) - set(ids(member, answers)))
        if missing:
            yield [member.name], f"broker {member.name} is not registered with {', '.join(missing)}"
    yield from _lags(group, known, answers)


def _unlisted(topology: Topology, answers: Answers) -> Iterator[str]:
    """Yield what is registered and not in the inventory, group by group: clients send there."""
    places: dict[str, dict[str, list[str]]] = {}
    for server, info in answers.routes.items():
        for group in info.groups.values():
            for address in group.addresses.values():
                if topology.at(address) is None:
                    places.setdefault(group.name, {}).setdefault(address, []).append(server)
    known = {group.name for group in topology.groups}
    for name, servers in places.items():
        addresses = ", ".join(sorted(servers))
        who = f"{addresses} of group {name}" if name in known else f"{name} ({addresses})"
        where = ", ".join(dict.fromkeys(server for names in servers.values() for server in names))
        yield f"{who} is registered with {where} and is not in the inventory: clients send there"


def _lags(group: Group, masters: set[str], answers: Answers) -> Iterator[tuple[Sequence[str], str]]:
    ends = {
        member.name: answers.runtimes[member.name].log_max
        for member in group.members
        if member.name in answers.runtimes
    }
    of_master = [
        ends[member.name] for member in group.members if member.address in masters and member.name in ends
    ]
    for name, end in ends.items():
        behind = max(of_master, default=0) - end
        if behind > MAX_LAG:
            yield [name], f"broker {name} is {behind} bytes behind its master"

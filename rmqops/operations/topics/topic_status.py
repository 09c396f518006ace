"""What NameServers and brokers say about topics: who knows which, where it lies, and how its messages are spread.

NameServers never talk to one another, so every one is asked, and where they differ is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from rmqops.errors import OperationFailed, RemotingError
from rmqops.model.roles import MASTER_ID
from rmqops.model.topology import Topology
from rmqops.operations.hosts.fan_out import ask
from rmqops.operations.topics.topics import DEAD_PREFIX, RETRY_PREFIX, is_system
from rmqops.remoting.admin import Admin, Offsets
from rmqops.remoting.client import Client
from rmqops.remoting.codes import Permission
from rmqops.remoting.messages import check_topic
from rmqops.remoting.routes import TopicQueues, TopicRoute

_T = TypeVar("_T")


@dataclass(frozen=True)
class TopicList:
    """Every topic that some NameServer knows."""

    names: tuple[str, ...]
    """Those that people made, sorted."""
    system: tuple[str, ...]
    """Those of the system, and the retry and dead-letter topics of consumer groups."""
    differences: tuple[str, ...]

    def json(self) -> dict[str, object]:
        """Return the object that ``rmqops topic list --json`` prints."""
        return {"topics": list(self.names), "system": list(self.system), "differences": list(self.differences)}


@dataclass(frozen=True)
class MemberShare:
    """A topic on one member of a group."""

    group: str
    name: str
    address: str
    master: bool
    offsets: tuple[Offsets, ...] | None
    """By queue; None for a member that does not answer."""

    @property
    def messages(self) -> int:
        """Return how many messages the member holds."""
        return sum(each.max - each.min for each in self.offsets or ())


@dataclass(frozen=True)
class TopicStatus:
    """One topic."""

    topic: str
    routes: Mapping[str, TopicRoute | None]
    """By NameServer, those that answer."""
    members: tuple[MemberShare, ...]
    differences: tuple[str, ...]

    @property
    def queues(self) -> Mapping[str, TopicQueues]:
        """Queues and permission by group, as the first NameServer that knows the topic has them."""
        return next((route.queues for route in self.routes.values() if route is not None), {})

    def holder(self, group: str) -> MemberShare | None:
        """Return the member that speaks for a group: its master, else the one that holds most."""
        answering = [member for member in self.members if member.group == group and member.offsets is not None]
        return max(answering, key=lambda member: (member.master, member.messages), default=None)

    @property
    def messages(self) -> int:
        """Return how many messages the topic has, each counted once."""
        return sum(holder.messages for group in self.queues if (holder := self.holder(group)))

    def share(self, group: str) -> float | None:
        """Return a group's part of the messages, 0 to 1; None when there are none, or nobody answers."""
        holder = self.holder(group)
        return holder.messages / self.messages if holder and self.messages else None

    def json(self) -> dict[str, object]:
        """Return the object that ``rmqops topic describe --json`` prints."""
        return {
            "topic": self.topic,
            "messages": self.messages,
            "nameservers": {
                server: None
                if route is None
                else {name: _queues(each) for name, each in sorted(route.queues.items())}
                for server, route in self.routes.items()
            },
            "groups": [
                {
                    "name": group,
                    **_queues(queues),
                    "share": self.share(group),
                    "members": [_share(member) for member in self.members if member.group == group],
                }
                for group, queues in sorted(self.queues.items())
            ],
            "differences": list(self.differences),
        }


def permission_text(permission: Permission) -> str:
    """Return ``rw``, ``r``, ``w`` or nothing."""
    return ("r" if permission & Permission.READ else "") + ("w" if permission & Permission.WRITE else "")


async def list_topics(topology: Topology, client: Client) -> TopicList:
    """Ask every NameServer which topics it knows.

    Raises:
        OperationFailed: none answers.
    """
    admin = Admin(client)
    answers, problems = await _nameservers(
        topology, {each.name: admin.topics(each.address) for each in topology.nameservers}
    )
    known = sorted(frozenset().union(*answers.values()))
    hidden = [
        topic for topic in known if is_system(topic, topology) or topic.startswith((RETRY_PREFIX, DEAD_PREFIX))
    ]
    differences = [
        f"{topic} is not known to {', '.join(missing)}"
        for topic in known
        if (missing := [server for server, topics in answers.items() if topic not in topics])
    ]
    return TopicList(
        names=tuple(topic for topic in known if topic not in hidden),
        system=tuple(hidden),
        differences=(*problems, *differences),
    )


async def describe(topology: Topology, client: Client, topic: str) -> TopicStatus:
    """Ask every NameServer for a topic's route, and every member of its groups for its queues.

    Raises:
        UsageError: no topic has such a name.
        OperationFailed: no NameServer answers, or none that does knows the topic.
    """
    admin, topic = Admin(client), check_topic(topic)
    routes, problems = await _nameservers(
        topology, {each.name: admin.route(each.address, topic) for each in topology.nameservers}
    )
    known_routes = [route for route in routes.values() if route is not None]
    if not known_routes:
        raise OperationFailed(
            f"no NameServer knows the topic {topic}", remedy="rmqops topic list shows what there is"
        )
    reads = {name: queues.read for route in known_routes for name, queues in route.queues.items()}
    questions = [
        (group, number, address, max(reads[group.name], known_routes[0].queues[group.name].write))
        for group in known_routes[0].groups.values()
        if group.name in known_routes[0].queues
        for number, address in sorted(group.addresses.items())
    ]
    members = await asyncio.gather(
        *(
            _member(topology, admin, topic, group.name, address, queues, master=number == MASTER_ID)
            for group, number, address, queues in questions
        )
    )
    unanswered = [f"{member.name} does not answer" for member in members if member.offsets is None]
    return TopicStatus(topic, routes, tuple(members), (*problems, *differences(routes), *unanswered))


def differences(routes: Mapping[str, TopicRoute | None]) -> tuple[str, ...]:
    """Say in what NameServers differ about one topic; nothing when they agree."""
    servers_by_text: dict[str, list[str]] = {}
    for server, route in routes.items():
        servers_by_text.setdefault(_words(route), []).append(server)
    if len(servers_by_text) < 2:
        return ()
    return tuple(f"{', '.join(servers)}: {words}" for words, servers in servers_by_text.items())


def _words(route: TopicRoute | None) -> str:
    if route is None:
        return "does not know the topic"
    parts = []
    for name, queues in sorted(route.queues.items()):
        group = route.groups.get(name)
        master = group.master if group else None
        parts.append(
            f"{name} {permission_text(queues.permission)}, {queues.write} to write, {queues.read} to read,"
            f" master {master or 'none'}"
        )
    return "; ".join(parts) or "no queues"


async def _member(
    topology: Topology, admin: Admin, topic: str, group: str, address: str, queues: int, *, master: bool
) -> MemberShare:
    instance = topology.at(address)
    name = instance.name if instance else address
    try:
        offsets = await asyncio.gather(*(admin.offsets(address, topic, number) for number in range(queues)))
    except RemotingError:
        return MemberShare(group, name, address, master, None)
    return MemberShare(group, name, address, master, tuple(offsets))


async def _nameservers(
    topology: Topology, questions: Mapping[str, Awaitable[_T]]
) -> tuple[dict[str, _T], tuple[str, ...]]:
    """Return the NameServers' answers by name, and who gave none and why."""
    answers, failures = await ask(questions)
    problems = tuple(f"{name} does not answer: {error.message}" for name, error in failures.items())
    if not answers:
        raise OperationFailed(
            f"no NameServer of {topology.cluster} answers: {'; '.join(problems)}",
            remedy="look with rmqops status, then rmqops start",
        )
    return answers, problems


def _queues(queues: TopicQueues) -> dict[str, object]:
    return {"read": queues.read, "write": queues.write, "permission": permission_text(queues.permission)}


def _share(member: MemberShare) -> dict[str, object]:
    return {
        "name": member.name,
        "address": member.address,
        "role": "master" if member.master else "slave",
        "messages": None if member.offsets is None else member.messages,
        "queues": [
            {"queue": number, "min": each.min, "max": each.max} for number, each in enumerate(member.offsets or ())
        ],
    }

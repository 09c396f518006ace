"""What brokers say about consumer groups: who is in, how far they are behind, and who has which queue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rmqops.errors import OperationFailed, RemotingError
from rmqops.model.topology import Topology
from rmqops.operations.hosts.fan_out import ask
from rmqops.operations.topics import topics
from rmqops.remoting.client import Client
from rmqops.remoting.consumers import ConnectedConsumer, ConnectedConsumers, ConsumeProgress, Queue
from rmqops.remoting.group_admin import GroupAdmin
from rmqops.remoting.messages import check_consumer_group
from rmqops.remoting.routes import ClusterInfo

_SYSTEM = frozenset(
    {
        "CID_ONS-HTTP-PROXY",
        "CID_ONSAPI_OWNER",
        "CID_ONSAPI_PERMISSION",
        "CID_ONSAPI_PULL",
        "FILTERSRV_CONSUMER",
        "SELF_TEST_C_GROUP",
        "TOOLS_CONSUMER",
        "__MONITOR_CONSUMER",
    }
)


def is_system(group: str) -> bool:
    """Tell whether brokers make a group for themselves (``SubscriptionGroupManager.init``, ``MixAll``)."""
    return group in _SYSTEM or group.startswith("CID_RMQ_SYS_")


@dataclass(frozen=True)
class ConsumerGroupSummary:
    """One consumer group in a list."""

    name: str
    system: bool
    members: int
    topics: tuple[str, ...]
    """Those that it has consumed from."""
    lag: int

    def json(self) -> dict[str, object]:
        """Return the object that ``rmqops group list --json`` prints for it."""
        return {**vars(self), "topics": list(self.topics)}


@dataclass(frozen=True)
class ConsumerGroupList:
    """Every consumer group that some broker knows."""

    groups: tuple[ConsumerGroupSummary, ...]
    problems: tuple[str, ...]

    def json(self) -> dict[str, object]:
        """Return the object that ``rmqops group list --json`` prints."""
        return {"groups": [group.json() for group in self.groups], "problems": list(self.problems)}


@dataclass(frozen=True)
class ConsumerGroupStatus:
    """One consumer group."""

    name: str
    members: tuple[ConnectedConsumer, ...]
    subscriptions: Mapping[str, str]
    """The expression by topic."""
    kind: str
    model: str
    progress: tuple[ConsumeProgress, ...]
    """In the order of queues; of those whose broker answers."""
    holders: Mapping[Queue, tuple[str, ...]]
    """The client that has a queue; more than one for a moment, while the group balances, or when it broadcasts."""
    problems: tuple[str, ...]

    @property
    def lag(self) -> int:
        """Return how many messages are left in all queues."""
        return sum(each.lag for each in self.progress)

    def queues_of(self, client: str) -> int:
        """Return how many queues a client has."""
        return sum(client in clients for clients in self.holders.values())

    def json(self) -> dict[str, object]:
        """Return the object that ``rmqops group describe --json`` prints."""
        return {
            "group": self.name,
            "kind": self.kind,
            "model": self.model,
            "lag": self.lag,
            "members": [
                {
                    "client": member.client_id,
                    "address": member.address,
                    "language": member.language,
                    "version": member.version,
                    "queues": self.queues_of(member.client_id),
                }
                for member in self.members
            ],
            "subscriptions": dict(self.subscriptions),
            "queues": [
                {
                    "topic": each.queue.topic,
                    "group": each.queue.broker,
                    "queue": each.queue.number,
                    "end": each.end,
                    "consumed": each.consumed,
                    "lag": each.lag,
                    "last_ms": each.last_ms or None,
                    "clients": list(self.holders.get(each.queue, ())),
                }
                for each in self.progress
            ],
            "problems": list(self.problems),
        }


async def list_groups(topology: Topology, client: Client) -> ConsumerGroupList:
    """Ask every group of brokers which consumer groups it knows, and how they are.

    Raises:
        OperationFailed: no NameServer answers.
    """
    admin = GroupAdmin(client)
    info = await topics.cluster(topology, admin)
    known, failures = await ask({each: admin.subscription_groups(each) for each in _speakers(info)})
    names = sorted(frozenset().union(*known.values()))
    summaries = await asyncio.gather(*(_summary(admin, info, name) for name in names))
    return ConsumerGroupList(tuple(summaries), _problems(info, failures))


async def describe(topology: Topology, client: Client, name: str) -> ConsumerGroupStatus:
    """Ask every broker for a consumer group's members, each group for its progress, every member for its queues.

    Raises:
        UsageError: no consumer group has such a name.
        OperationFailed: no NameServer answers, or no broker knows the group.
    """
    admin, name = GroupAdmin(client), check_consumer_group(name)
    info = await topics.cluster(topology, admin)
    known, config_failures = await ask({each: admin.subscription_groups(each) for each in _speakers(info)})
    connected, connection_failures = await _connected(admin, info, name)
    progress, progress_failures = await _progress(admin, info, name)
    if not connected and not progress and not any(name in groups for groups in known.values()):
        raise OperationFailed(
            f"no broker knows the consumer group {name}", remedy="rmqops group list shows what there is"
        )
    members = {
        member.client_id: (address, member)
        for address, consumers in connected.items()
        for member in consumers.members
    }
    held_queues_by_client, queue_failures = await ask(
        {client_id: admin.held_queues(address, name, client_id) for client_id, (address, _) in members.items()}
    )
    first = next(iter(connected.values()), None)
    return ConsumerGroupStatus(
        name=name,
        members=tuple(member for _, (_, member) in sorted(members.items())),
        subscriptions=first.subscriptions if first else {},
        kind=first.kind if first else "",
        model=first.model if first else "",
        progress=progress,
        holders=holders(held_queues_by_client),
        problems=(
            *_problems(info, {**config_failures, **connection_failures, **progress_failures}),
            *(
                f"{client} does not say which queues it has: {error.message}"
                for client, error in queue_failures.items()
            ),
        ),
    )


def holders(held: Mapping[str, Sequence[Queue]]) -> dict[Queue, tuple[str, ...]]:
    """Turn the queues of each client into the clients of each queue."""
    clients: dict[Queue, tuple[str, ...]] = {}
    for client, queues in sorted(held.items()):
        for queue in queues:
            clients[queue] = (*clients.get(queue, ()), client)
    return clients


def _speakers(info: ClusterInfo) -> list[str]:
    """Return who speaks for each group: the master, else any member, for slaves have a copy of the offsets."""
    addresses = (group.master or next(iter(group.addresses.values()), None) for group in info.groups.values())
    return [address for address in addresses if address is not None]


def _problems(info: ClusterInfo, failures: Mapping[str, RemotingError]) -> tuple[str, ...]:
    headless = (group.name for group in info.groups.values() if group.master is None)
    return (
        *(f"group {name} has no master: a slave speaks for it" for name in headless),
        *(f"{address} does not answer: {error.message}" for address, error in failures.items()),
    )


async def _summary(admin: GroupAdmin, info: ClusterInfo, name: str) -> ConsumerGroupSummary:
    progress, _ = await _progress(admin, info, name)
    connected, _ = await _connected(admin, info, name)
    return ConsumerGroupSummary(
        name=name,
        system=is_system(name),
        members=len({member.client_id for consumers in connected.values() for member in consumers.members}),
        topics=tuple(sorted({each.queue.topic for each in progress})),
        lag=sum(each.lag for each in progress),
    )


async def _progress(
    admin: GroupAdmin, info: ClusterInfo, name: str
) -> tuple[tuple[ConsumeProgress, ...], dict[str, RemotingError]]:
    answers, failures = await ask({each: admin.progress(each, name) for each in _speakers(info)})
    queues = (each for answer in answers.values() for each in answer)
    return tuple(sorted(queues, key=lambda progress: progress.queue)), failures


async def _connected(
    admin: GroupAdmin, info: ClusterInfo, name: str
) -> tuple[dict[str, ConnectedConsumers], dict[str, RemotingError]]:
    """Return the members of a consumer group by the broker that they are connected to."""
    addresses = [address for group in info.groups.values() for address in group.addresses.values()]
    answers, failures = await ask({each: admin.connected_consumers(each, name) for each in addresses})
    return {address: consumers for address, consumers in answers.items() if consumers is not None}, failures

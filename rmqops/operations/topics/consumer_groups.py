"""Make and remove a consumer group, on every member, so that an election does not lose it."""

from __future__ import annotations

from rmqops.model.topology import Instance, Topology
from rmqops.operations.topics import topics
from rmqops.remoting.client import Client
from rmqops.remoting.group_admin import GroupAdmin
from rmqops.system import waiting

GONE_WITHIN = 30.0
_NEXT = "_g"


def names(topic: str, number: int) -> tuple[str, ...]:
    """Return what the consumer groups of a drill's topic are called: the first one as the topic itself."""
    return (topic, *(f"{topic}{_NEXT}{each}" for each in range(2, number + 1)))


async def create(topology: Topology, client: Client, group: str) -> None:
    """Make a consumer group; a broker with ``autoCreateSubscriptionGroup=false`` serves no other.

    Masters first: a slave takes over its master's groups, every 10 s and whole (``SlaveSynchronize``).

    Raises:
        OperationFailed: no NameServer answers.
        RemotingError: a broker did not make it.
    """
    admin = GroupAdmin(client)
    for broker in await _masters_first(topology, admin):
        await admin.create_group(broker.address, group)


async def delete(topology: Topology, client: Client, topic: str) -> None:
    """Remove the consumer groups of a drill's topic, and their retry topics, from every broker and NameServer.

    Their members are gone. The offsets that they committed stay in the brokers' ``consumerOffset.json``: no
    request of 4.5 removes them.

    Raises:
        OperationFailed: somebody still has one; names who.
    """
    admin = GroupAdmin(client)

    async def of_topic(broker: Instance) -> set[str]:
        known = await admin.subscription_groups(broker.address)
        return {group for group in known if group == topic or group.startswith(f"{topic}{_NEXT}")}

    async def remaining() -> str | None:
        left = [(broker, await of_topic(broker)) for broker in await _masters_first(topology, admin)]
        for broker, groups in left:
            for group in groups:
                await admin.delete_group(broker.address, group)
        had = [broker.name for broker, groups in left if groups]
        return f"{', '.join(had)} had one" if had else None

    # The retry topics first: once its groups are gone, nobody knows what they were called.
    groups = {topic}.union(*[await of_topic(broker) for broker in await _masters_first(topology, admin)])
    for group in sorted(groups):
        await topics.delete(topology, client, f"{topics.RETRY_PREFIX}{group}")
    await waiting.until(f"the consumer groups of {topic} deleted everywhere", remaining, GONE_WITHIN)


async def _masters_first(topology: Topology, admin: GroupAdmin) -> list[Instance]:
    info = await topics.cluster(topology, admin)
    masters = {known.master for known in info.groups.values()}
    return sorted(topology.brokers, key=lambda broker: broker.address not in masters)

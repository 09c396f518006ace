"""Make and remove a consumer group, on every member, so that an election does not lose it."""

from __future__ import annotations

from rmqops.model.topology import Instance, Topology
from rmqops.operations import topics, waiting
from rmqops.remoting.client import Client
from rmqops.remoting.group_admin import GroupAdmin

GONE_WITHIN = 30.0


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


async def delete(topology: Topology, client: Client, group: str) -> None:
    """Remove a consumer group whose members are gone, and its retry topic, from every broker and NameServer.

    The offsets that it committed stay in the brokers' ``consumerOffset.json``: no request of 4.5 removes them.

    Raises:
        OperationFailed: somebody still has it; names who.
    """
    admin = GroupAdmin(client)

    async def remaining() -> str | None:
        left = [
            broker
            for broker in await _masters_first(topology, admin)
            if group in await admin.subscription_groups(broker.address)
        ]
        for broker in left:
            await admin.delete_group(broker.address, group)
        return f"{', '.join(broker.name for broker in left)} had it" if left else None

    await waiting.until(f"the consumer group {group} deleted everywhere", remaining, GONE_WITHIN)
    await topics.delete(topology, client, f"{topics.RETRY_PREFIX}{group}")


async def _masters_first(topology: Topology, admin: GroupAdmin) -> list[Instance]:
    info = await topics.cluster(topology, admin)
    masters = {known.master for known in info.groups.values()}
    return sorted(topology.brokers, key=lambda broker: broker.address not in masters)

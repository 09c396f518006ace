"""The topic of a drill: made before the load, and gone without a trace afterwards."""

from __future__ import annotations

from rmqops.chaos import waiting
from rmqops.errors import BrokerError, OperationFailed, RemotingError
from rmqops.model.topology import Topology
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.routes import ClusterInfo

PREFIX = "rmqops-drill-"

KNOWN_WITHIN = 30.0
"""Seconds. A slave takes over its master's topics every 10 s (``BrokerController.handleSlaveSynchronize``)."""

GONE_WITHIN = 30.0


async def create(topology: Topology, client: Client, topic: str, queues: int) -> None:
    """Create a topic on every group's master and return when every member and every NameServer knows it.

    A slave learns of a topic up to 10 s after its master. One that is elected before that does not know the topic,
    and refuses what is sent to it; a drill must not mistake that for the cluster's fault.

    Raises:
        OperationFailed: not everyone knew it in time.
        RemotingError: a master did not create it.
    """
    admin = Admin(client)
    info = await _cluster(topology, admin)
    for group in topology.groups:
        known = info.groups.get(group.name)
        if known is None or known.master is None:
            raise OperationFailed(f"group {group.name} has no master to create the topic {topic} on")
        await admin.create_topic(known.master, topic, queues=queues)

    async def missing() -> str | None:
        for server in topology.nameservers:
            route = await admin.route(server.address, topic)
            if route is None or set(route.queues) != {group.name for group in topology.groups}:
                return f"{server.name} does not know it"
        for broker in topology.brokers:
            if topic not in await admin.topic_configs(broker.address):
                return f"{broker.name} does not know it"
        return None

    await waiting.until(f"the topic {topic} known everywhere", missing, KNOWN_WITHIN)


async def delete(topology: Topology, client: Client, topic: str) -> None:
    """Delete a topic on every member, masters first, and then on every NameServer, until none has it.

    Masters first, because a slave takes over its master's topics; more than once, because a registration under way
    may bring it back.

    Raises:
        OperationFailed: somebody still has it; names who.
    """
    admin = Admin(client)

    async def remaining() -> str | None:
        info = await _cluster(topology, admin)
        masters = {group.master for group in info.groups.values()}
        ordered = sorted(topology.brokers, key=lambda broker: broker.address not in masters)
        left = []
        for broker in ordered:
            if topic in await admin.topic_configs(broker.address):
                left.append(broker.name)
                await admin.delete_topic_in_broker(broker.address, topic)
        for server in topology.nameservers:
            if await admin.route(server.address, topic) is not None:
                left.append(server.name)
                await admin.delete_topic_in_nameserver(server.address, topic)
        return f"{', '.join(left)} had it" if left else None

    await waiting.until(f"the topic {topic} deleted everywhere", remaining, GONE_WITHIN)


async def _cluster(topology: Topology, admin: Admin) -> ClusterInfo:
    """Return what the first NameServer that answers says."""
    failure: RemotingError | None = None
    for server in topology.nameservers:
        try:
            return await admin.cluster_info(server.address)
        except BrokerError:
            raise
        except RemotingError as error:
            failure = error
    raise OperationFailed(f"no NameServer of {topology.cluster} answers: {failure}")

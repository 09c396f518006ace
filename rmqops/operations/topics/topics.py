"""Create and delete topics, everywhere and until everybody knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from rmqops.errors import BrokerError, OperationFailed, RemotingError, Unsafe, UsageError
from rmqops.model.topology import Group, Topology
from rmqops.remoting.admin import READ_WRITE, Admin
from rmqops.remoting.client import Client
from rmqops.remoting.codes import Permission
from rmqops.remoting.messages import check_topic
from rmqops.remoting.routes import ClusterInfo, TopicConfig
from rmqops.system import waiting

DRILL_PREFIX = "rmqops-drill-"
"""Begins the name of a drill's own topic."""

KNOWN_WITHIN = 60.0
"""Seconds. A master may be on its way out: its successor is elected within some 12 s, and is in every NameServer's
route after up to 30 s more (``registerNameServerPeriod``)."""

GONE_WITHIN = 30.0

RETRY_PREFIX = "%RETRY%"
"""Begins the topic of what a consumer group gave back (``MixAll.RETRY_GROUP_TOPIC_PREFIX``)."""

DEAD_PREFIX = "%DLQ%"
"""Begins the topic of what a consumer group gave up (``MixAll.DLQ_GROUP_TOPIC_PREFIX``)."""

_NAME = re.compile(r"[%|a-zA-Z0-9_-]+", re.ASCII)
"""What the official client takes (``Validators.VALID_PATTERN_STR``); brokers before 4.6 take anything."""

_SYSTEM = frozenset(
    {
        "BenchmarkTest",
        "OFFSET_MOVED_EVENT",
        "RMQ_SYS_TRACE_TOPIC",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "SCHEDULE_TOPIC_XXXX",
        "SELF_TEST_TOPIC",
        "TBW102",
        "TRANS_CHECK_MAX_TIME_TOPIC",
    }
)


def of_drill(run: str, number: int) -> tuple[str, ...]:
    """Return what the topics of a drill are called."""
    first = f"{DRILL_PREFIX}{run}"
    return (first, *(f"{first}-{each}" for each in range(2, number + 1)))


def is_system(topic: str, topology: Topology) -> bool:
    """Tell whether brokers make a topic for themselves (``TopicConfigManager``, ``MixAll``).

    Each has one named after its cluster and one named after its group.
    """
    return (
        topic in _SYSTEM
        or topic.startswith("rmq_sys_")
        or topic == topology.cluster
        or topic in {group.name for group in topology.groups}
    )


async def create(
    topology: Topology,
    client: Client,
    topic: str,
    queues: int,
    *,
    groups: Collection[str] = (),
    read_queues: int | None = None,
    permission: Permission = READ_WRITE,
) -> None:
    """Create a topic, or change it, and return when every member and every NameServer knows it so (:func:`put`).

    Args:
        topology: The cluster.
        client: For the connections.
        topic: The topic's name.
        queues: Queues to write to, on each group.
        groups: The groups' names; all of them when none is named.
        read_queues: Queues to read from; as many as to write to unless given.
        permission: What clients may do.

    Raises:
        UsageError: there is no such group, or no broker takes such a name.
        Unsafe: it is a topic of the system, or messages would go where nobody reads.
        OperationFailed: not everyone knew it in time.
        RemotingError: a master did not create it.
    """
    config = wanted(topology, topic, queues, read_queues=read_queues, permission=permission)
    await put(topology, client, [config], choose(topology, groups))


def wanted(
    topology: Topology,
    topic: str,
    queues: int,
    *,
    read_queues: int | None = None,
    permission: Permission = READ_WRITE,
) -> TopicConfig:
    """Return what a topic is to be, as :func:`create` takes it; nobody is asked.

    Raises:
        UsageError: no broker or client takes such a name.
        Unsafe: it is a topic of the system, or messages would go where nobody reads.
    """
    refuse_system(topic, topology)
    check_topic(topic)
    if not _NAME.fullmatch(topic):
        raise UsageError(
            f"{topic!r} is no name for a topic: clients refuse to use it",
            remedy="take letters, digits, -, _, % and |",
        )
    reads = queues if read_queues is None else read_queues
    if reads < queues and permission & Permission.WRITE:
        raise Unsafe(
            f"{topic} would have {queues} queues to write to, of which nobody could read but the first {reads}",
            remedy=f"give --read-queues {queues} or more",
        )
    return TopicConfig(topic, reads, queues, permission)


async def put(topology: Topology, client: Client, configs: Sequence[TopicConfig], groups: Sequence[Group]) -> None:
    """Put topics on some groups, and return when every member of those and every NameServer knows them so.

    A slave takes over its master's list every 10 s, once it knows who that is; one that is elected before does not
    know the topic, and refuses what is sent to it. So it is put on slaves as well, once their masters have it, for
    those lists would replace theirs; and again on a master that was elected meanwhile.

    Raises:
        OperationFailed: a group has no master, or not everyone knew them in time.
        RemotingError: a master did not create one.
    """
    admin = Admin(client)
    info = await cluster(topology, admin)
    names = ", ".join(config.topic for config in configs)
    for group in groups:
        master = info.master(group.name)
        if master is None:
            raise OperationFailed(f"group {group.name} has no master to create the topic {names} on")
        for config in configs:
            await _put(admin, master, config)
    await waiting.until(
        f"the topic {names} known everywhere", lambda: _missing(topology, admin, groups, configs), KNOWN_WITHIN
    )


async def _put(admin: Admin, broker: str, config: TopicConfig) -> None:
    await admin.create_topic(
        broker,
        config.topic,
        queues=config.write_queues,
        read_queues=config.read_queues,
        permission=config.permission,
    )


async def _missing(
    topology: Topology, admin: Admin, groups: Sequence[Group], configs: Sequence[TopicConfig]
) -> str | None:
    """Say who does not know a topic, and tell all of those; slaves only once their masters know."""
    masters = {group.master for group in (await cluster(topology, admin)).groups.values()}
    brokers = [member for group in groups for member in group.members]
    for stage in (True, False):
        ignorant = []
        for broker in brokers:
            if (broker.address in masters) is stage:
                known = await admin.topic_configs(broker.address)
                for config in [config for config in configs if known.get(config.topic) != config]:
                    await _put(admin, broker.address, config)
                    ignorant.append(f"{broker.name} does not know {config.topic}")
        if ignorant:
            return ignorant[0]
    for server in topology.nameservers:
        for config in configs:
            route = await admin.route(server.address, config.topic)
            shape = (config.read_queues, config.write_queues, config.permission)
            for group in groups:
                queues = route.queues.get(group.name) if route else None
                if queues is None or (queues.read, queues.write, queues.permission) != shape:
                    return f"{server.name} does not know {config.topic} on {group.name}"
    return None


async def delete(topology: Topology, client: Client, topic: str) -> tuple[str, ...]:
    """Delete a topic and its messages on every member, masters first, then on every NameServer, until none has it.

    Masters first, because a slave takes over its master's topics; more than once, because a registration under way
    may bring it back.

    Returns:
        Who had it.

    Raises:
        Unsafe: it is a topic of the system.
        OperationFailed: somebody still has it; names who.
    """
    refuse_system(topic, topology)
    admin = Admin(client)
    had: dict[str, None] = {}

    async def remaining() -> str | None:
        info = await cluster(topology, admin)
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
        had.update(dict.fromkeys(left))
        return f"{', '.join(left)} had it" if left else None

    await waiting.until(f"the topic {topic} deleted everywhere", remaining, GONE_WITHIN)
    return tuple(had)


def choose(topology: Topology, names: Collection[str]) -> tuple[Group, ...]:
    """Return groups by their names, in the cluster's order; all of them when none is named.

    Raises:
        UsageError: there is no group of a name.
    """
    known = [group.name for group in topology.groups]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UsageError(f"there is no group {', '.join(unknown)}", remedy=f"name some of {', '.join(known)}")
    return tuple(group for group in topology.groups if not names or group.name in names)


async def cluster(topology: Topology, admin: Admin) -> ClusterInfo:
    """Return what the first NameServer that answers says.

    Raises:
        OperationFailed: none does.
    """
    failure: RemotingError | None = None
    for server in topology.nameservers:
        try:
            return await admin.cluster_info(server.address)
        except BrokerError:
            raise
        except RemotingError as error:
            failure = error
    raise OperationFailed(
        f"no NameServer of {topology.cluster} answers: {failure}",
        remedy="look with rmqops status, then rmqops start",
    )


def refuse_system(topic: str, topology: Topology) -> None:
    """Refuse to touch what brokers make for themselves.

    Raises:
        Unsafe: it is that.
    """
    if is_system(topic, topology):
        raise Unsafe(f"{topic} is a topic of the system: brokers make it and need it", remedy="leave it alone")

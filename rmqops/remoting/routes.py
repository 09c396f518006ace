"""What NameServers and brokers tell about a cluster, as values. No input, no output, no clock.

Source of the shapes: ``ClusterInfo``, ``TopicRouteData``, ``TopicList``, ``KVTable``,
``TopicConfigSerializeWrapper`` of the module ``common``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rmqops.errors import ProtocolError
from rmqops.model.roles import MASTER_ID
from rmqops.remoting import fastjson
from rmqops.remoting.codes import Permission
from rmqops.remoting.fastjson import integer, mapping, sequence, text


@dataclass(frozen=True, slots=True)
class BrokerGroup:
    """One group (``brokerName``) as one NameServer knows it."""

    name: str
    cluster: str
    addresses: Mapping[int, str]
    """Address by broker id; id 0 is the master."""

    @property
    def master(self) -> str | None:
        """The master's address, or None if the NameServer knows none."""
        return self.addresses.get(MASTER_ID)

    @property
    def slaves(self) -> Mapping[int, str]:
        """The other members' addresses by broker id."""
        return {number: address for number, address in self.addresses.items() if number != MASTER_ID}


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """Every group that one NameServer knows."""

    groups: Mapping[str, BrokerGroup]
    clusters: Mapping[str, tuple[str, ...]]
    """The groups' names, sorted, by cluster."""

    def master(self, group: str) -> str | None:
        """Return the address of a group's master; None where there is none, or no such group."""
        known = self.groups.get(group)
        return known.master if known else None


@dataclass(frozen=True, slots=True)
class TopicQueues:
    """A topic's queues on one group."""

    broker: str
    read: int
    write: int
    permission: Permission

    @property
    def writable(self) -> bool:
        """Whether producers may send."""
        return bool(self.permission & Permission.WRITE)

    @property
    def readable(self) -> bool:
        """Whether consumers may pull."""
        return bool(self.permission & Permission.READ)


@dataclass(frozen=True, slots=True)
class TopicRoute:
    """Where a topic lives, as one NameServer knows it."""

    topic: str
    queues: Mapping[str, TopicQueues]
    """By group."""
    groups: Mapping[str, BrokerGroup]


@dataclass(frozen=True, slots=True)
class WriteQueue:
    """One queue that a producer may send to."""

    broker: str
    queue: int
    address: str
    """The master's."""


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """A topic as one broker keeps it."""

    topic: str
    read_queues: int
    write_queues: int
    permission: Permission


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """What a broker, master or slave, says about itself."""

    version: str
    """Such as ``V4_5_2``."""
    log_min: int
    """The first byte of its commit log."""
    log_max: int
    """The end of its commit log. In a DLedger group this is the *committed* end
    (``DLedgerCommitLog.getMaxOffset``), so members whose ``log_max`` are equal hold the same messages; see
    :func:`level`."""
    dispatch_behind: int
    """Bytes of the log, up to ``log_max``, that no queue shows yet."""
    values: Mapping[str, str] = field(repr=False)
    """All of it, as the broker wrote it."""


def level(members: Mapping[str, RuntimeInfo]) -> bool:
    """Return whether replicas are level: the same end of the log and every message of it in its queue.

    Ask while nothing is written, and of every member: a message between two answers looks like a lag.
    """
    ends = {info.log_max for info in members.values()}
    return len(ends) == 1 and all(info.dispatch_behind <= 0 for info in members.values())


def write_queues(route: TopicRoute) -> tuple[WriteQueue, ...]:
    """Return the queues of a route that have a master, in the order of group name and queue."""
    return tuple(
        WriteQueue(queues.broker, number, master)
        for _, queues in sorted(route.queues.items())
        if queues.writable and (group := route.groups.get(queues.broker)) and (master := group.master)
        for number in range(queues.write)
    )


def parse_cluster_info(body: bytes) -> ClusterInfo:
    """Return the answer to GET_BROKER_CLUSTER_INFO.

    Raises:
        ProtocolError: it is something else.
    """
    info = mapping(fastjson.loads(body), "cluster info")
    table = mapping(info.get("brokerAddrTable") or {}, "brokerAddrTable")
    clusters = mapping(info.get("clusterAddrTable") or {}, "clusterAddrTable")
    return ClusterInfo(
        groups={name: _group(value) for name, value in table.items()},
        clusters={
            cluster: tuple(sorted(text(name, "a group's name") for name in sequence(names, "a cluster's groups")))
            for cluster, names in clusters.items()
        },
    )


def parse_route(topic: str, body: bytes) -> TopicRoute:
    """Return the answer to GET_ROUTE_BY_TOPIC.

    Raises:
        ProtocolError: it is something else.
    """
    route = mapping(fastjson.loads(body), "a route")
    queues = [_queues(value) for value in sequence(route.get("queueDatas") or [], "queueDatas")]
    groups = [_group(value) for value in sequence(route.get("brokerDatas") or [], "brokerDatas")]
    return TopicRoute(topic, {each.broker: each for each in queues}, {each.name: each for each in groups})


def parse_topics(body: bytes) -> frozenset[str]:
    """Return the answer to GET_ALL_TOPICS (``TopicList``).

    Raises:
        ProtocolError: it is something else.
    """
    topics = mapping(fastjson.loads(body), "a list of topics").get("topicList") or []
    return frozenset(text(topic, "a topic") for topic in sequence(topics, "topicList"))


def parse_properties(body: bytes) -> Mapping[str, str]:
    """Return the answer to GET_BROKER_CONFIG and GET_NAMESRV_CONFIG (``MixAll.properties2String``): a key a line.

    Raises:
        ProtocolError: it is not UTF-8 text.
    """
    try:
        lines = (line.partition("=") for line in body.decode("utf-8").splitlines())
    except UnicodeDecodeError as error:
        raise ProtocolError(f"a configuration that is not UTF-8 text: {error}") from error
    return {key.strip(): value.strip() for key, separator, value in lines if separator}


def parse_topic_configs(body: bytes) -> Mapping[str, TopicConfig]:
    """Return the answer to GET_ALL_TOPIC_CONFIG, by topic.

    Raises:
        ProtocolError: it is something else.
    """
    table = mapping(fastjson.loads(body), "topic configs").get("topicConfigTable") or {}
    return {topic: _topic_config(topic, value) for topic, value in mapping(table, "topicConfigTable").items()}


def parse_runtime_info(body: bytes) -> RuntimeInfo:
    """Return the answer to GET_BROKER_RUNTIME_INFO.

    Raises:
        ProtocolError: it is something else, or lacks what every release says.
    """
    table = mapping(mapping(fastjson.loads(body), "runtime info").get("table") or {}, "the runtime info's table")
    values = {key: text(value, key) for key, value in table.items() if value is not None}
    try:
        return RuntimeInfo(
            version=values["brokerVersionDesc"],
            log_min=integer(values["commitLogMinOffset"], "commitLogMinOffset"),
            log_max=integer(values["commitLogMaxOffset"], "commitLogMaxOffset"),
            dispatch_behind=integer(values["dispatchBehindBytes"], "dispatchBehindBytes"),
            values=values,
        )
    except KeyError as error:
        raise ProtocolError(f"runtime info without {error}") from error


def _group(value: object) -> BrokerGroup:
    data = mapping(value, "a group")
    addresses = mapping(data.get("brokerAddrs") or {}, "brokerAddrs")
    return BrokerGroup(
        name=text(data.get("brokerName"), "brokerName"),
        cluster=text(data.get("cluster") or "", "cluster"),
        addresses={integer(key, "a broker id"): text(each, "an address") for key, each in addresses.items()},
    )


def _queues(value: object) -> TopicQueues:
    data = mapping(value, "a topic's queues")
    return TopicQueues(
        broker=text(data.get("brokerName"), "brokerName"),
        read=_count(data.get("readQueueNums"), "readQueueNums"),
        write=_count(data.get("writeQueueNums"), "writeQueueNums"),
        permission=_permission(data.get("perm")),
    )


def _topic_config(topic: str, value: object) -> TopicConfig:
    data = mapping(value, "a topic's config")
    return TopicConfig(
        topic=topic,
        read_queues=_count(data.get("readQueueNums"), "readQueueNums"),
        write_queues=_count(data.get("writeQueueNums"), "writeQueueNums"),
        permission=_permission(data.get("perm")),
    )


def _count(value: object, what: str) -> int:
    number = integer(value, what)
    if 0 <= number <= 0xFFFF:
        return number
    raise ProtocolError(f"{what} is {number}, where 0 to 65535 queues are possible")


def _permission(value: object) -> Permission:
    return Permission(integer(value, "perm") & 7)

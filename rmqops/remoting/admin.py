"""Ask NameServers and brokers, and create and delete topics.

Every question about a broker (offsets, runtime info, topic configs, a group's offsets) is answered by slaves as
well as by the master, for what they hold themselves (``AdminBrokerProcessor`` has no check of the role).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rmqops.errors import BrokerError, ProtocolError
from rmqops.remoting import routes
from rmqops.remoting.client import Client
from rmqops.remoting.codec import Frame
from rmqops.remoting.codes import Permission, RequestCode, ResponseCode
from rmqops.remoting.messages import check_topic
from rmqops.remoting.routes import ClusterInfo, RuntimeInfo, TopicConfig, TopicRoute

READ_WRITE = Permission.READ | Permission.WRITE


@dataclass(frozen=True, slots=True)
class Offsets:
    """The span of a queue on one broker: the first message kept, and the offset the next one will get."""

    min: int
    max: int


class Admin:
    """Questions and orders over a client's connections. Addresses are ``host:port``.

    Every method raises :class:`~rmqops.errors.BrokerError` if the answer is not a success and another
    :class:`~rmqops.errors.RemotingError` if there is none. ``timeout`` is the client's unless given, in seconds.
    """

    def __init__(self, client: Client, *, timeout: float | None = None) -> None:
        self._client = client
        self._timeout = timeout

    async def cluster_info(self, nameserver: str) -> ClusterInfo:
        """Return every group a NameServer knows."""
        answer = await self._call(nameserver, RequestCode.GET_BROKER_CLUSTER_INFO)
        return routes.parse_cluster_info(answer.body)

    async def route(self, nameserver: str, topic: str) -> TopicRoute | None:
        """Return where a NameServer says a topic lives, or None if it does not know the topic."""
        try:
            answer = await self._call(nameserver, RequestCode.GET_ROUTE_BY_TOPIC, {"topic": topic})
        except BrokerError as error:
            if error.code == ResponseCode.TOPIC_NOT_EXIST:
                return None
            raise
        return routes.parse_route(topic, answer.body)

    async def topics(self, nameserver: str) -> frozenset[str]:
        """Return every topic a NameServer knows, those of the system among them."""
        answer = await self._call(nameserver, RequestCode.GET_ALL_TOPICS)
        return routes.parse_topics(answer.body)

    async def create_topic(
        self,
        master: str,
        topic: str,
        *,
        queues: int = 4,
        read_queues: int | None = None,
        permission: Permission = READ_WRITE,
    ) -> None:
        """Create a topic on a broker, or change it.

        The broker answers first and writes afterwards (``AdminBrokerProcessor.updateAndCreateTopic``), then
        registers with every NameServer at once: wait for :meth:`route`. Ask the master: a slave keeps its own list
        and takes over its master's.

        Raises:
            UsageError: no broker can store messages of such a topic.
        """
        fields = {
            "topic": check_topic(topic),
            "defaultTopic": "TBW102",
            "readQueueNums": str(queues if read_queues is None else read_queues),
            "writeQueueNums": str(queues),
            "perm": str(int(permission)),
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": "0",
            "order": "false",
        }
        await self._call(master, RequestCode.UPDATE_AND_CREATE_TOPIC, fields)

    async def delete_topic_in_broker(self, broker: str, topic: str) -> None:
        """Delete a topic and its queues on one broker; ask every member, then every NameServer."""
        await self._call(broker, RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": topic})

    async def delete_topic_in_nameserver(self, nameserver: str, topic: str) -> None:
        """Make a NameServer forget a topic; a broker that still has it will register it again."""
        await self._call(nameserver, RequestCode.DELETE_TOPIC_IN_NAMESRV, {"topic": topic})

    async def wipe_write_permission(self, nameserver: str, broker: str) -> int:
        """Take a group's topics off the writable ones at one NameServer; return how many.

        The group's next registration gives the permission back if its topics' data version has changed.
        """
        answer = await self._call(nameserver, RequestCode.WIPE_WRITE_PERM_OF_BROKER, {"brokerName": broker})
        return _field(answer, "wipeTopicCount", nameserver)

    async def topic_configs(self, broker: str) -> Mapping[str, TopicConfig]:
        """Return the topics a broker keeps, by name."""
        answer = await self._call(broker, RequestCode.GET_ALL_TOPIC_CONFIG)
        return routes.parse_topic_configs(answer.body)

    async def runtime_info(self, broker: str) -> RuntimeInfo:
        """Return what a broker says about itself.

        In its first seconds, before it has taken its first sample of itself, a broker answers with code 1 and
        ``NoSuchElementException`` (``StoreStatsService``); seen with 4.4.0.
        """
        answer = await self._call(broker, RequestCode.GET_BROKER_RUNTIME_INFO)
        return routes.parse_runtime_info(answer.body)

    async def broker_config(self, broker: str) -> Mapping[str, str]:
        """Return every key that a broker runs with, changed while it runs or not."""
        answer = await self._call(broker, RequestCode.GET_BROKER_CONFIG)
        return routes.parse_properties(answer.body)

    async def update_broker_config(self, broker: str, settings: Mapping[str, str]) -> None:
        """Change keys that a broker runs with; it writes its whole file anew, if it may (``Configuration``)."""
        body = "".join(f"{key}={value}\n" for key, value in settings.items())
        await self._client.call(
            broker, RequestCode.UPDATE_BROKER_CONFIG, body=body.encode(), timeout=self._timeout
        )

    async def nameserver_config(self, nameserver: str) -> Mapping[str, str]:
        """Return every key that a NameServer runs with."""
        answer = await self._call(nameserver, RequestCode.GET_NAMESRV_CONFIG)
        return routes.parse_properties(answer.body)

    async def min_offset(self, broker: str, topic: str, queue: int) -> int:
        """Return the offset of the first message a queue still has; 0 for a queue that does not exist, too."""
        return await self._offset(broker, RequestCode.GET_MIN_OFFSET, topic, queue)

    async def max_offset(self, broker: str, topic: str, queue: int) -> int:
        """Return the offset that a queue's next message will get; 0 for a queue that does not exist, too."""
        return await self._offset(broker, RequestCode.GET_MAX_OFFSET, topic, queue)

    async def offsets(self, broker: str, topic: str, queue: int) -> Offsets:
        """Return both ends of a queue."""
        low = await self.min_offset(broker, topic, queue)
        return Offsets(low, await self.max_offset(broker, topic, queue))

    async def offset_at(self, broker: str, topic: str, queue: int, time_ms: int) -> int:
        """Return the offset of the first message stored at or after a time, in milliseconds since the epoch."""
        fields = {"topic": topic, "queueId": str(queue), "timestamp": str(time_ms)}
        answer = await self._call(broker, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, fields)
        return _field(answer, "offset", broker)

    async def consumer_offset(self, broker: str, group: str, topic: str, queue: int) -> int | None:
        """Return how far a consumer group has come, or None if the broker does not know.

        A broker says 0 for a group it does not know where the queue still begins at 0
        (``ConsumerManageProcessor.queryConsumerOffset``).
        """
        fields = {"consumerGroup": group, "topic": topic, "queueId": str(queue)}
        try:
            answer = await self._call(broker, RequestCode.QUERY_CONSUMER_OFFSET, fields)
        except BrokerError as error:
            if error.code == ResponseCode.QUERY_NOT_FOUND:
                return None
            raise
        return _field(answer, "offset", broker)

    async def update_consumer_offset(self, broker: str, group: str, topic: str, queue: int, offset: int) -> None:
        """Set how far a consumer group has come."""
        fields = {"consumerGroup": group, "topic": topic, "queueId": str(queue), "commitOffset": str(offset)}
        await self._call(broker, RequestCode.UPDATE_CONSUMER_OFFSET, fields)

    async def _offset(self, broker: str, code: RequestCode, topic: str, queue: int) -> int:
        answer = await self._call(broker, code, {"topic": topic, "queueId": str(queue)})
        return _field(answer, "offset", broker)

    async def _call(self, address: str, code: RequestCode, fields: Mapping[str, str] | None = None) -> Frame:
        return await self._client.call(address, code, fields or {}, timeout=self._timeout)


def _field(answer: Frame, name: str, address: str) -> int:
    try:
        return int(answer.fields[name])
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"{address} answered without a number {name}: {dict(answer.fields)}") from error

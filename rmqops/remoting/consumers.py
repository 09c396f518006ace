"""What brokers tell about consumer groups, as values. No input, no output, no clock.

Source of the shapes: ``SubscriptionGroupWrapper``, ``ConsumerConnection``, ``ConsumeStats`` and
``ConsumerRunningInfo`` of the module ``common``, the same in 4.4.0 and 4.5.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rmqops.remoting import fastjson
from rmqops.remoting.fastjson import integer, mapping, sequence, text


@dataclass(frozen=True, slots=True, order=True)
class Queue:
    """One queue of a topic on one broker group."""

    topic: str
    broker: str
    number: int


@dataclass(frozen=True, slots=True)
class ConnectedConsumer:
    """One client process of a consumer group."""

    client_id: str
    address: str
    language: str
    version: int
    """An ordinal of ``MQVersion.Version``."""


@dataclass(frozen=True, slots=True)
class ConnectedConsumers:
    """The members of a group that are connected to one broker."""

    members: tuple[ConnectedConsumer, ...]
    subscriptions: Mapping[str, str]
    """The expression by topic, ``*`` for everything."""
    kind: str
    """``CONSUME_ACTIVELY`` (pull) or ``CONSUME_PASSIVELY`` (push)."""
    model: str
    """``CLUSTERING`` or ``BROADCASTING``."""


@dataclass(frozen=True, slots=True)
class ConsumeProgress:
    """How far a group has come in one queue."""

    queue: Queue
    end: int
    """The offset that the next message will get."""
    consumed: int
    """The offset that is consumed next."""
    last_ms: int
    """When the last message consumed was stored, in milliseconds since the epoch; 0 if there is none."""

    @property
    def lag(self) -> int:
        """Return how many messages are left."""
        return max(0, self.end - self.consumed)


def parse_groups(body: bytes) -> Mapping[str, Mapping[str, object]]:
    """Return the answer to GET_ALL_SUBSCRIPTION_GROUPS: each group's ``SubscriptionGroupConfig``, by its name.

    Raises:
        ProtocolError: it is something else.
    """
    answer = mapping(fastjson.loads(body), "subscription groups")
    table = mapping(answer.get("subscriptionGroupTable") or {}, "subscriptionGroupTable")
    return {name: mapping(value, "a subscription group") for name, value in table.items()}


def parse_connected(body: bytes) -> ConnectedConsumers:
    """Return the answer to GET_CONSUMER_CONNECTIONS.

    Raises:
        ProtocolError: it is something else.
    """
    answer = mapping(fastjson.loads(body), "consumer connections")
    members = [
        mapping(each, "a connection") for each in sequence(answer.get("connectionSet") or [], "connectionSet")
    ]
    subscriptions = mapping(answer.get("subscriptionTable") or {}, "subscriptionTable")
    return ConnectedConsumers(
        members=tuple(
            ConnectedConsumer(
                client_id=text(each.get("clientId"), "clientId"),
                address=text(each.get("clientAddr") or "", "clientAddr"),
                language=text(each.get("language") or "", "language"),
                version=integer(each.get("version") or 0, "version"),
            )
            for each in members
        ),
        subscriptions={
            topic: text(mapping(value, "a subscription").get("subString") or "", "subString")
            for topic, value in subscriptions.items()
        },
        kind=text(answer.get("consumeType") or "", "consumeType"),
        model=text(answer.get("messageModel") or "", "messageModel"),
    )


def parse_progress(body: bytes) -> Sequence[ConsumeProgress]:
    """Return the answer to GET_CONSUME_STATS, in the order of queues.

    Raises:
        ProtocolError: it is something else.
    """
    table = mapping(mapping(fastjson.loads(body), "consume stats").get("offsetTable") or {}, "offsetTable")
    queues = []
    for key, value in table.items():
        offsets = mapping(value, "a queue's offsets")
        queues.append(
            ConsumeProgress(
                _queue(key),
                end=integer(offsets.get("brokerOffset"), "brokerOffset"),
                consumed=integer(offsets.get("consumerOffset"), "consumerOffset"),
                last_ms=integer(offsets.get("lastTimestamp") or 0, "lastTimestamp"),
            )
        )
    return sorted(queues, key=lambda progress: progress.queue)


def parse_held_queues(body: bytes) -> Sequence[Queue]:
    """Return the queues in the answer to GET_CONSUMER_RUNNING_INFO.

    Raises:
        ProtocolError: it is something else.
    """
    info = mapping(fastjson.loads(body), "a consumer's running info")
    return sorted(_queue(key) for key in mapping(info.get("mqTable") or {}, "mqTable"))


def _queue(key: str) -> Queue:
    fields = mapping(fastjson.loads(key.encode()), "a queue")
    return Queue(
        text(fields.get("topic"), "topic"),
        text(fields.get("brokerName"), "brokerName"),
        integer(fields.get("queueId"), "queueId"),
    )

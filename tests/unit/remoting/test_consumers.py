from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given

from rmqops.errors import ProtocolError
from rmqops.remoting import consumers
from rmqops.remoting.consumers import ConnectedConsumer, ConsumeProgress, Queue
from tests.unit.remoting.test_fastjson import VALUES, written

STATS = (
    b'{"consumeTps":0.0,"offsetTable":{{"brokerName":"b","queueId":1,"topic":"t"}:{"brokerOffset":9,"consumerOffset":4,'
    b'"lastTimestamp":1},{"brokerName":"a","queueId":0,"topic":"t"}:{"brokerOffset":3,"consumerOffset":5,'
    b'"lastTimestamp":0}}}'
)
CONNECTED = (
    b'{"connectionSet":[{"clientAddr":"h:5","clientId":"h@1","language":"JAVA","version":317}],"consumeFromWhere":'
    b'"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":'
    b'{"t":{"classFilterMode":false,"codeSet":[],"subString":"a || b","subVersion":1,"tagsSet":[],"topic":"t"}}}'
)
RUNNING = (
    b'{"mqTable":{{"brokerName":"b","queueId":1,"topic":"t"}:{"commitOffset":4,"locked":false},'
    b'{"brokerName":"a","queueId":0,"topic":"t"}:{"commitOffset":0}},"properties":{"x":"{\\"y\\":1}:"},"statusTable":{}}'
)
PARSERS = (
    consumers.parse_groups,
    consumers.parse_connected,
    consumers.parse_progress,
    consumers.parse_held_queues,
)


def test_progress_in_the_order_of_queues() -> None:
    first, second = consumers.parse_progress(STATS)
    assert first == ConsumeProgress(Queue("t", "a", 0), 3, 5, 0)
    assert second == ConsumeProgress(Queue("t", "b", 1), 9, 4, 1)
    assert (first.lag, second.lag) == (0, 5)


def test_connected_consumers() -> None:
    connected = consumers.parse_connected(CONNECTED)
    assert connected.members == (ConnectedConsumer("h@1", "h:5", "JAVA", 317),)
    assert (connected.subscriptions, connected.kind, connected.model) == (
        {"t": "a || b"},
        "CONSUME_PASSIVELY",
        "CLUSTERING",
    )


def test_the_queues_that_a_member_holds() -> None:
    assert consumers.parse_held_queues(RUNNING) == [Queue("t", "a", 0), Queue("t", "b", 1)]


def test_groups() -> None:
    assert consumers.parse_groups(b'{"subscriptionGroupTable":{"g":{"brokerId":0}}}') == {"g": {"brokerId": 0}}
    assert consumers.parse_groups(b"{}") == {}


@pytest.mark.parametrize("parse", PARSERS)
@given(value=VALUES)
def test_whatever_comes_is_a_value_or_a_protocol_error(parse: Callable[[bytes], object], value: object) -> None:
    bodies = [
        value,
        {"subscriptionGroupTable": value, "connectionSet": value, "offsetTable": value, "mqTable": value},
    ]
    for body in bodies:
        with contextlib.suppress(ProtocolError):
            parse(written(body).encode())

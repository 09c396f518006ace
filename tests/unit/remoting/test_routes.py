from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqops.errors import ProtocolError
from rmqops.remoting import routes
from rmqops.remoting.codes import Permission
from rmqops.remoting.routes import BrokerGroup, RuntimeInfo, TopicConfig, TopicQueues, WriteQueue
from tests.unit.remoting.test_fastjson import VALUES, written

CLUSTER = (
    b'{"brokerAddrTable":{"b":{"brokerAddrs":{0:"h:3",2:"h:4"},"brokerName":"b","cluster":"C"},'
    b'"a":{"brokerAddrs":{1:"h:1"},"brokerName":"a","cluster":"C"}},"clusterAddrTable":{"C":["b","a"]}}'
)
ROUTE = (
    b'{"brokerDatas":[{"brokerAddrs":{0:"h:3",2:"h:4"},"brokerName":"b","cluster":"C"},'
    b'{"brokerAddrs":{1:"h:1"},"brokerName":"a","cluster":"C"},'
    b'{"brokerAddrs":{0:"h:9"},"brokerName":"r","cluster":"C"}],"filterServerTable":{},"queueDatas":['
    b'{"brokerName":"b","perm":6,"readQueueNums":4,"topicSynFlag":0,"writeQueueNums":2},'
    b'{"brokerName":"a","perm":6,"readQueueNums":4,"topicSynFlag":0,"writeQueueNums":2},'
    b'{"brokerName":"r","perm":4,"readQueueNums":1,"topicSynFlag":0,"writeQueueNums":1}]}'
)
RUNTIME = (
    b'{"table":{"brokerVersionDesc":"V4_5_2","commitLogMinOffset":"0","commitLogMaxOffset":"%d",'
    b'"dispatchBehindBytes":"%d","getTps":null}}'
)


def test_cluster_info() -> None:
    info = routes.parse_cluster_info(CLUSTER)
    assert info.groups["b"] == BrokerGroup("b", "C", {0: "h:3", 2: "h:4"})
    assert (info.groups["b"].master, info.groups["b"].slaves) == ("h:3", {2: "h:4"})
    assert info.groups["a"].master is None
    assert info.clusters == {"C": ("a", "b")}


def test_an_empty_nameserver_knows_nothing() -> None:
    assert routes.parse_cluster_info(b'{"brokerAddrTable":{},"clusterAddrTable":{}}').groups == {}
    assert routes.parse_cluster_info(b"{}").clusters == {}


def test_only_queues_with_a_master_and_the_permission_are_written_to() -> None:
    route = routes.parse_route("t", ROUTE)
    assert route.queues["r"] == TopicQueues("r", 1, 1, Permission.READ)
    assert (route.queues["r"].readable, route.queues["r"].writable) == (True, False)
    assert routes.write_queues(route) == (WriteQueue("b", 0, "h:3"), WriteQueue("b", 1, "h:3"))


def test_topics_and_topic_configs() -> None:
    assert routes.parse_topics(b'{"topicList":["x","y"]}') == {"x", "y"}
    body = (
        b'{"dataVersion":{"counter":1,"timestamp":2},"topicConfigTable":{"x":{"order":false,"perm":6,'
        b'"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"x","topicSysFlag":0,"writeQueueNums":8}}}'
    )
    assert routes.parse_topic_configs(body) == {"x": TopicConfig("x", 4, 8, Permission.READ | Permission.WRITE)}


def info(end: int, behind: int = 0) -> RuntimeInfo:
    return routes.parse_runtime_info(RUNTIME % (end, behind))


def test_runtime_info() -> None:
    read = info(99, 7)
    assert (read.version, read.log_min, read.log_max, read.dispatch_behind) == ("V4_5_2", 0, 99, 7)
    assert "getTps" not in read.values


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"a": info(9), "b": info(9)}, True),
        ({"a": info(9), "b": info(8)}, False),
        ({"a": info(9), "b": info(9, behind=1)}, False),
        ({}, False),
    ],
)
def test_level(members: dict[str, RuntimeInfo], expected: bool) -> None:
    assert routes.level(members) is expected


@pytest.mark.parametrize(
    ("parse", "body", "says"),
    [
        (routes.parse_cluster_info, b"[]", "cluster info is not an object"),
        (routes.parse_cluster_info, b'{"brokerAddrTable":{"a":{"brokerAddrs":{}}}}', "brokerName is not a string"),
        (routes.parse_runtime_info, b'{"table":{}}', "without 'brokerVersionDesc'"),
        (routes.parse_topics, b'{"topicList":[1]}', "a topic is not a string"),
        (
            lambda body: routes.parse_route("t", body),
            b'{"queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":1,"writeQueueNums":2000000000}]}',
            "writeQueueNums is 2000000000",
        ),
    ],
)
def test_an_answer_of_another_shape_is_named(parse: Callable[[bytes], object], body: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse(body)


NAMES = ["brokerAddrTable", "brokerName", "brokerAddrs", "queueDatas", "brokerDatas", "perm", "topicList", "table"]


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_any_json_gives_a_value_or_a_protocol_error(value: dict[str, object]) -> None:
    body = written(value).encode()
    for parse in (
        routes.parse_cluster_info,
        routes.parse_topics,
        routes.parse_topic_configs,
        routes.parse_runtime_info,
        lambda text: routes.parse_route("t", text),
    ):
        with contextlib.suppress(ProtocolError):
            parse(body)

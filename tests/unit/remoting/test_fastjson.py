from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqops.errors import ProtocolError
from rmqops.remoting import fastjson

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=20,
)


def written(value: object, space: str = "") -> str:
    """Write a value as fastjson does: integer keys bare."""
    if isinstance(value, dict):
        pairs = (
            f"{key if isinstance(key, int) else json.dumps(key)}{space}:{written(item, space)}"
            for key, item in value.items()
        )
        return "{" + space + f",{space}".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + f",{space}".join(written(item, space) for item in value) + "]"
    return json.dumps(value)


def with_text_keys(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): with_text_keys(item) for key, item in value.items()}
    return [with_text_keys(item) for item in value] if isinstance(value, list) else value


@given(VALUES, st.sampled_from(["", " ", "\n\t"]))
def test_values_with_bare_integer_keys_come_back(value: object, space: str) -> None:
    assert fastjson.loads(written(value, space).encode()) == json.loads(json.dumps(with_text_keys(value)))


@pytest.mark.parametrize("text", ['{0:"a"}', "x,{1:2", '{"0":1,', "\\", '\\"{7:8', '",{3:', "{-1:"], ids=repr)
def test_text_that_looks_like_a_bare_key_stays_as_it_is(text: str) -> None:
    assert fastjson.loads(written({1: text, "k": [text]}).encode()) == {"1": text, "k": [text]}


def test_a_nameservers_own_answer() -> None:
    body = b'{"brokerAddrTable":{"a":{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"a"}}}'
    assert fastjson.loads(body) == {
        "brokerAddrTable": {
            "a": {"brokerAddrs": {"0": "10.0.0.1:10911", "1": "10.0.0.2:10911"}, "brokerName": "a"}
        }
    }


def test_an_array_of_numbers_is_left_alone() -> None:
    assert fastjson.loads(b'{1:[1,2,3],"2":{3:-4}}') == {"1": [1, 2, 3], "2": {"3": -4}}


@pytest.mark.parametrize("body", [b"", b"{1.5:2}", b"{a:1}", b"\xff", b"{0:", b"[" * 100_000])
def test_what_is_not_json_even_so_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="not JSON"):
        fastjson.loads(body)


@given(st.binary(max_size=200) | st.text('{}[]",:\\0 -1a').map(str.encode))
def test_garbage_gives_a_value_or_a_protocol_error(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        fastjson.loads(body)


@pytest.mark.parametrize(
    ("take", "wrong"),
    [
        (fastjson.mapping, [1]),
        (fastjson.sequence, {"a": 1}),
        (fastjson.text, 1),
        (fastjson.integer, "1.5"),
        (fastjson.integer, True),
        (fastjson.integer, "9" * 5000),
    ],
)
def test_a_value_of_the_wrong_type_is_named(take: object, wrong: object) -> None:
    assert callable(take)
    with pytest.raises(ProtocolError, match="perm is not"):
        take(wrong, "perm")


def test_integers_are_taken_as_numbers_and_as_text() -> None:
    assert [fastjson.integer(value, "n") for value in (-3, "12", "-7")] == [-3, 12, -7]


def test_a_brokers_consume_stats_have_objects_for_keys() -> None:
    body = b'{"offsetTable":{{"queueId":0,"topic":"t}:"}:{"brokerOffset":7},{"queueId":1}:{0:[{},{"a":1}]}}}'
    assert fastjson.loads(body) == {
        "offsetTable": {
            '{"queueId":0,"topic":"t}:"}': {"brokerOffset": 7},
            '{"queueId":1}': {"0": [{}, {"a": 1}]},
        },
    }

"""The format of a history: whoever writes it, in Python or in Java, spells it as the one module does."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqops.chaos.history import batches, tables
from rmqops.chaos.history.format import (
    ATTEMPTS,
    CONSUMER,
    FIELDS,
    LOAD_LINE,
    OBLIGATORY,
    OPS,
    TYPES,
    ClientName,
    ClientRole,
    columns,
)
from rmqops.chaos.load.clients.settings import NUMBER_OF_KEY, key
from rmqops.model.history import CONTRACT, Event, Op, Type


def test_the_fields_are_those_of_an_event_and_of_a_batch() -> None:
    names = tuple(FIELDS)
    assert names == (*(field.name for field in fields(Event)), "keys")
    assert names[: len(OBLIGATORY)] == OBLIGATORY
    assert set(CONTRACT) < set(names)
    full = Event(1.0, "p", "send", "ok", "t", "b", 0, 0, "k", "e", "a", {"x": "y"})
    assert tuple(full.fields()) == names[:-1]
    assert "keys" in batches.Batch(full, ["k"]).record()


@pytest.mark.parametrize("op", ["send", "receive"])
@pytest.mark.parametrize("kind", TYPES)
def test_a_line_of_the_load_is_known_by_how_it_begins(op: Op, kind: Type) -> None:
    match = LOAD_LINE.match(Event(1.25, 'con "1"', op, kind, key="k").record().encode().replace(b'\\"', b"'"))
    assert match is not None
    assert (float(match[1]), match[2], match[3], match[4]) == (1.25, b"con '1'", op.encode(), kind.encode())


def test_a_line_of_anything_else_is_none_of_the_load() -> None:
    assert LOAD_LINE.match(Event(1.0, "namesrv-1", "route", "ok").record().encode()) is None
    assert LOAD_LINE.match(b'{"summary":{"name":"producer-1"}}') is None


def test_a_reader_takes_the_types_of_columns_from_here() -> None:
    assert columns(("t", "queue")) == "\"t\": 'DOUBLE', \"queue\": 'INTEGER'"
    assert columns(("value",), value="JSON") == "\"value\": 'JSON'"
    assert columns() in tables.RAW


def _java(name: str) -> str:
    return files("rmqops.chaos.load.clients.java").joinpath(f"{name}.java").read_text("utf-8")


def test_the_java_outlet_writes_these_fields_in_this_order() -> None:
    text = _java("Outlet")
    assert text.count(r'"{\"t\":"') == 1
    written = re.findall(r'^ +(?:text|number)\("(\w+)", \1\);$', text, re.MULTILINE)
    assert ["t", *written, "value"] == [name for name in FIELDS if name != "keys"]
    numbers = re.findall(r'^ +number\("(\w+)"', text, re.MULTILINE)
    assert numbers == [name for name, field in FIELDS.items() if field.json is int]
    assert rf'",\"value\":{{\"{ATTEMPTS}\":\""' in text


def test_the_java_client_has_no_word_of_its_own() -> None:
    calls = [call for name in ("Sender", "Receiver") for call in re.findall(r"outlet\.event\([^;]*;", _java(name))]
    literals = {word for call in calls for word in re.findall(r'"([^"]*)"', call)}
    assert len(calls) == 4
    assert literals <= {*OPS, *TYPES}
    assert literals == {"send", "receive", "invoke", "ok", "fail", "info"}


def test_the_java_client_names_keys_and_queues_as_ours_does() -> None:
    assert 'String.format(Locale.ROOT, "%s-%08d", settings.getString("prefix"), number)' in _java("Sender")
    assert key("p1", 7) == "p1-00000007"
    assert 'number == 1 ? process : process + "." + number' in _java("Receiver")
    assert str(ClientName("consumer", 1, turn=2)) == "consumer-1.2"


@given(
    st.builds(
        ClientName,
        st.sampled_from(["producer", "consumer"]),
        st.integers(0, 1000),
        st.integers(1, 100),
        st.integers(1, 100),
    )
)
def test_a_name_is_read_as_it_is_written(name: ClientName) -> None:
    assert ClientName.parse(str(name)) == name
    assert ClientName.parse(str(name.successor)) == name.successor != name
    assert name.successor.place == name.place
    assert str(name).startswith(CONSUMER) is (name.role == "consumer")


@pytest.mark.parametrize(
    "text", ["", "consumer", "consumer-", "consumer-1-2-3", "drain-consumer-1", "x-1", "consumer-1."]
)
def test_what_is_no_name_of_a_client_is_none(text: str) -> None:
    assert ClientName.parse(text) is None


@pytest.mark.parametrize(
    ("target", "role", "meant"),
    [
        ("consumer", "consumer", True),
        ("consumer-2", "consumer", True),
        ("consumer-2-3", "consumer", False),
        ("consumer-1", "consumer", False),
        ("producer", "consumer", False),
        ("producer-2", "producer", True),
    ],
)
def test_a_target_means_a_place_whatever_life_is_in_it(target: str, role: ClientRole, meant: bool) -> None:
    assert ClientName(role, 2, life=3).is_meant_by(target) is meant


def test_each_life_has_keys_of_its_own_and_a_key_tells_its_number() -> None:
    first = ClientName("producer", 2)
    prefixes = [first.key_prefix, first.successor.key_prefix, first.successor.successor.key_prefix]
    assert prefixes == ["p2", "p2-2", "p2-3"]
    for prefix in prefixes:
        match = re.search(NUMBER_OF_KEY, key(prefix, 41))
        assert match is not None
        assert int(match[1]) == 41

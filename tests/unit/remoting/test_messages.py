from __future__ import annotations

import contextlib
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqops.errors import ProtocolError, UsageError
from rmqops.remoting import messages
from rmqops.remoting.codec import Decoder
from rmqops.remoting.messages import Message, decode_batch, decode_properties, encode_properties
from rmqops.remoting.sending import SendTemplate
from tests.unit.remoting.stored import stored

PART = st.text(st.characters(codec="utf-8", exclude_characters="\x01\x02"), min_size=1)


def test_every_field_of_a_stored_message_is_read() -> None:
    data = stored(
        "kölln".encode(),
        topic="täst",
        queue=3,
        offset=2**40,
        properties="KEYS\x01k-1\x02TAGS\x01T\x02p\x01ö☃𝄞\x02",
        log_offset=0x7D0AF2,
    )
    (message,) = decode_batch(data)
    assert (message.topic, message.queue, message.offset) == ("täst", 3, 2**40)
    assert message.body == "kölln".encode()
    assert message.properties == {"KEYS": "k-1", "TAGS": "T", "p": "ö☃𝄞"}
    assert (message.key, message.tag) == ("k-1", "T")
    assert message.msg_id == "0A00000100002A9F00000000007D0AF2"
    assert (message.born_host, message.born_ms) == ("10.0.0.9:5555", 1_700_000_000_001)
    assert (message.store_host, message.store_ms) == ("10.0.0.1:10911", 1_700_000_000_002)
    assert (message.size, message.reconsumed) == (len(data), 2)
    assert not message.compressed


@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=6))
def test_a_batch_comes_back_in_order_and_unfolded(bodies: list[tuple[bytes, bool]]) -> None:
    batch = b"".join(
        stored(messages.compress(body) if small else body, offset=number, sys_flag=int(small))
        for number, (body, small) in enumerate(bodies)
    )
    read = list(decode_batch(batch))
    assert [(each.offset, each.body, each.compressed) for each in read] == [
        (number, body, small) for number, (body, small) in enumerate(bodies)
    ]


def test_a_body_that_is_not_what_was_stored_is_damage() -> None:
    with pytest.raises(ProtocolError, match=r"t queue 2 offset 7: .*damaged"):
        list(decode_batch(stored(b"abc", queue=2, offset=7, crc=1)))


def test_an_empty_body_has_no_crc_to_fail() -> None:
    assert next(decode_batch(stored(b"", sys_flag=1))).body == b""


def test_a_body_marked_as_compressed_that_is_not_is_named() -> None:
    with pytest.raises(ProtocolError, match="marked as compressed"):
        list(decode_batch(stored(b"plain", sys_flag=1)))


@pytest.mark.parametrize("cut", [1, 5, 200])
def test_a_compressed_body_cut_short_is_named(cut: int) -> None:
    small = zlib.compress(bytes(range(256)) * 4, 0)[:-cut]
    with pytest.raises(ProtocolError, match="cut short"):
        list(decode_batch(stored(small, sys_flag=1)))


def test_a_body_does_not_unfold_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_BODY", 10_000)
    bomb = stored(zlib.compress(b"\0" * 10_001), sys_flag=1)
    with pytest.raises(ProtocolError, match="more than 10000 bytes"):
        list(decode_batch(bomb))


@given(st.integers(1, 400))
def test_a_message_cut_short_is_an_error(cut: int) -> None:
    data = stored(b"x" * 300, properties="a\x01b\x02")
    with pytest.raises(ProtocolError):
        list(decode_batch(data[: max(1, len(data) - cut)]))


@given(st.data())
def test_a_damaged_batch_gives_messages_or_a_protocol_error(data: st.DataObject) -> None:
    batch = bytearray(stored(b"x" * 20, properties="a\x01b\x02") * 2)
    for _ in range(data.draw(st.integers(1, 5))):
        batch[data.draw(st.integers(0, len(batch) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolError):
        list(decode_batch(bytes(batch)))


@given(st.binary(max_size=400))
def test_garbage_gives_no_message(batch: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert list(decode_batch(batch)) == []


@given(st.dictionaries(PART, PART, max_size=6))
def test_properties_come_back(properties: dict[str, str]) -> None:
    assert decode_properties(encode_properties(properties)) == properties


@pytest.mark.parametrize("bad", [{"": "v"}, {"n": ""}, {"n\x01": "v"}, {"n": "a\x02b"}, {"n": "\ud800"}])
def test_a_property_that_would_be_lost_is_refused(bad: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="cannot be stored"):
        encode_properties({"fine": "yes", **bad})


def test_properties_without_a_separator_are_left_out() -> None:
    assert decode_properties("a\x01b\x02junk\x02c\x01\x02") == {"a": "b", "c": ""}


@pytest.mark.parametrize("topic", ["t", "t" * 127, "ü" * 63])
def test_topics_a_broker_can_store(topic: str) -> None:
    assert messages.check_topic(topic) == topic


@pytest.mark.parametrize("topic", ["", "t" * 128, "ü" * 64, "\ud800"])
def test_topics_a_broker_cannot_store(topic: str) -> None:
    with pytest.raises(UsageError, match="bytes in UTF-8"):
        messages.check_topic(topic)


@given(PART, st.binary(max_size=100), st.dictionaries(PART, PART, max_size=3), st.integers(0, 2**31 - 1))
def test_a_send_is_a_frame_with_the_short_header(
    group: str, body: bytes, properties: dict[str, str], opaque: int
) -> None:
    template = SendTemplate(group, "täst")
    data = template.frame(Message(body, key="k", properties=properties), opaque=opaque, queue=5, born_ms=99)
    (frame,) = Decoder().feed(data)
    expected = encode_properties({**properties, "KEYS": "k"})
    assert (frame.code, frame.opaque, frame.flag, frame.body) == (310, opaque, 0, body)
    assert frame.fields == {
        "a": group, "b": "täst", "c": "TBW102", "d": "4", "e": "5", "f": "0", "g": "99", "h": "0",
        "i": expected, "j": "0", "k": "false", "m": "false",
    }  # fmt: skip


def test_only_bodies_over_the_limit_are_compressed() -> None:
    template = SendTemplate("g", "t", compress_over=10)
    short, long = (
        next(Decoder().feed(template.frame(Message(body), opaque=1, queue=0, born_ms=0)))
        for body in (b"x" * 10, b"x" * 11)
    )
    assert (short.fields["f"], short.body) == ("0", b"x" * 10)
    assert (long.fields["f"], zlib.decompress(long.body)) == ("1", b"x" * 11)


def test_a_header_of_a_send_is_json() -> None:
    data = SendTemplate('g"', "t\\").frame(Message(b"", tag='"'), opaque=1, queue=0, born_ms=0)
    size = int.from_bytes(data[5:8], "big")
    assert json.loads(data[8 : 8 + size])["extFields"]["i"] == 'TAGS\x01"\x02'

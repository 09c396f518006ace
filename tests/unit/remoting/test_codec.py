from __future__ import annotations

import contextlib
import json
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqops.errors import ProtocolError
from rmqops.remoting import codec
from rmqops.remoting.codec import LANGUAGES, MAX_FRAME, Decoder, Frame, Serialization

INT32 = st.integers(-(2**31), 2**31 - 1)
INT16 = st.integers(-(2**15), 2**15 - 1)
TEXT = st.text(st.characters(codec="utf-8"))
FRAMES = st.builds(
    Frame,
    code=INT16,
    opaque=INT32,
    flag=INT32,
    fields=st.dictionaries(TEXT, TEXT, max_size=8),
    remark=st.none() | st.text(st.characters(codec="utf-8"), min_size=1),
    body=st.binary(max_size=2000),
    language=st.sampled_from(LANGUAGES),
    version=INT16,
)
KINDS = st.sampled_from(Serialization)


def frames_of(*chunks: bytes) -> list[Frame]:
    decoder = Decoder()
    return [frame for chunk in chunks for frame in decoder.feed(chunk)]


@given(st.lists(st.tuples(FRAMES, KINDS), min_size=1, max_size=5), st.data())
def test_frames_come_back_whatever_the_chunks(
    sent: list[tuple[Frame, Serialization]], data: st.DataObject
) -> None:
    stream = b"".join(codec.encode(frame, kind) for frame, kind in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert frames_of(*chunks) == [frame for frame, _ in sent]


def test_json_frame_has_the_layout_of_remoting_command() -> None:
    data = codec.encode(Frame(105, 7, fields={"topic": "täst"}, body=b"body"))
    length, word = struct.unpack_from(">iI", data)
    assert length == len(data) - 4
    assert word >> 24 == 0
    header = json.loads(data[8 : 8 + (word & 0xFFFFFF)])
    assert header == {
        "code": 105,
        "extFields": {"topic": "täst"},
        "flag": 0,
        "language": "PYTHON",
        "opaque": 7,
        "serializeTypeCurrentRPC": "JSON",
        "version": 317,
    }
    assert data[8 + (word & 0xFFFFFF) :] == b"body"


def test_rocketmq_frame_has_the_layout_of_rocketmq_serializable() -> None:
    data = codec.encode(Frame(28, 9, 3, {"k": "väl"}, "no", b"B", "JAVA", 5), Serialization.ROCKETMQ)
    header = struct.pack(">hBhii", 28, 0, 5, 9, 3) + struct.pack(">i", 2) + b"no"
    pairs = struct.pack(">h", 1) + b"k" + struct.pack(">i", 4) + "väl".encode()
    header += struct.pack(">i", len(pairs)) + pairs
    assert data == struct.pack(">iI", 4 + len(header) + 1, 1 << 24 | len(header)) + header + b"B"


def test_a_brokers_json_answer_is_read() -> None:
    header = (
        b'{"code":0,"extFields":{"queueId":3,"queueOffset":"12","nothing":null},"flag":1,"language":"JAVA",'
        b'"opaque":4,"serializeTypeCurrentRPC":"JSON","version":317}'
    )
    (frame,) = frames_of(codec.assemble(header, b""))
    assert frame.fields == {"queueId": "3", "queueOffset": "12"}
    assert frame.is_response
    assert not frame.is_one_way


@pytest.mark.parametrize("length", [-1, -(2**31), 0, 3, MAX_FRAME - 3, 2**31 - 1])
def test_an_impossible_length_is_named_before_anything_is_allocated(length: int) -> None:
    decoder = Decoder()
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match=rf"frame length of {length} bytes"):
            list(decoder.feed(struct.pack(">i", length) + b"x" * 100))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_the_longest_frame_passes_and_one_byte_more_does_not() -> None:
    room = MAX_FRAME - 8 - len(codec.encode(Frame(1, 1))) + 8
    data = codec.encode(Frame(1, 1, body=b"x" * room))
    assert len(data) == MAX_FRAME
    assert len(frames_of(data)[0].body) == room
    with pytest.raises(ProtocolError, match="too long to send"):
        codec.encode(Frame(1, 1, body=b"x" * (room + 1)))


def test_frames_before_a_broken_one_are_given() -> None:
    decoder = Decoder()
    stream = decoder.feed(codec.encode(Frame(1, 1)) + struct.pack(">i", -5))
    assert next(stream).opaque == 1
    with pytest.raises(ProtocolError):
        next(stream)


@pytest.mark.parametrize(
    ("kind", "header", "says"),
    [
        (0, b"<html>", "not JSON"),
        (0, b"[1]", "not a JSON object"),
        (0, b"\xff\xfe", "not JSON"),
        (0, b"[" * 100_000, "not JSON"),
        (0, b'{"code":"0"}', "code is not a number"),
        (0, b'{"code":true}', "code is not a number"),
        (0, b'{"opaque":1e400}', "opaque is not a number"),
        (0, b'{"opaque":99999999999}', "opaque is not a number"),
        (0, b'{"extFields":[1]}', "wrong type"),
        (0, b'{"remark":{}}', "wrong type"),
        (1, b"", "cannot be read"),
        (1, struct.pack(">hBhiii", 0, 0, 0, 0, 0, 2**31 - 1), "2147483647 bytes"),
        (1, struct.pack(">hBhiiii", 0, 0, 0, 0, 0, 0, -1), "-1 bytes of fields"),
        (1, struct.pack(">hBhiiiih", 0, 0, 0, 0, 0, 0, 2, -7), "-7 bytes"),
        (9, b"{}", "serialization 9"),
    ],
)
def test_a_bad_header_says_what_is_wrong(kind: int, header: bytes, says: str) -> None:
    data = struct.pack(">iI", 4 + len(header), kind << 24 | len(header)) + header
    with pytest.raises(ProtocolError, match=says):
        frames_of(data)


def test_a_header_longer_than_its_frame_is_refused() -> None:
    with pytest.raises(ProtocolError, match="header of 16777215 bytes in a frame of 4"):
        frames_of(struct.pack(">iI", 4, 0xFFFFFF))


@pytest.mark.parametrize(
    "frame",
    [Frame(2**15, 1), Frame(1, 2**31), Frame(1, 1, fields={"k" * 2**15: "v"}), Frame(1, 1, remark="\ud800")],
)
def test_what_does_not_fit_a_rocketmq_header_is_refused(frame: Frame) -> None:
    with pytest.raises(ProtocolError, match="does not fit"):
        codec.encode(frame, Serialization.ROCKETMQ)


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_garbage_gives_frames_or_a_protocol_error_and_keeps_no_more_than_came(chunks: list[bytes]) -> None:
    decoder = Decoder()
    with contextlib.suppress(ProtocolError):
        for chunk in chunks:
            list(decoder.feed(chunk))
            assert decoder.pending <= sum(map(len, chunks))


@given(FRAMES, KINDS, st.data())
def test_a_damaged_frame_gives_a_frame_or_a_protocol_error(
    frame: Frame, kind: Serialization, data: st.DataObject
) -> None:
    damaged = bytearray(codec.encode(frame, kind))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(4, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolError):
        assert len(frames_of(bytes(damaged))) == 1


@given(st.integers(0, 1), st.binary(max_size=300), st.binary(max_size=20))
def test_any_header_bytes_give_a_frame_or_a_protocol_error(kind: int, header: bytes, body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert codec.decode(struct.pack(">I", kind << 24 | len(header)) + header + body).body == body

"""Frames: bytes to values and back. No input, no output, no clock.

A frame is its length (4 bytes, big-endian, itself excluded), a word whose high byte is the serialization and whose
lower three bytes are the header's length, the header, and the body (``RemotingCommand``, ``NettyDecoder``).

Everything a peer can send ends in a frame or a :class:`~rmqops.errors.ProtocolError`; memory stays within one
frame of :data:`MAX_FRAME` bytes and one read of the socket.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from json.encoder import encode_basestring_ascii
from typing import Final

from rmqops.errors import ProtocolError
from rmqops.remoting.codes import CLIENT_VERSION

MAX_FRAME: Final = 16 * 1024 * 1024
"""The longest frame the official client and server take, length word included (``NettyDecoder``, 16777216)."""

LANGUAGES: Final = (
    "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS",
)  # fmt: skip
"""Names by their byte in the ROCKETMQ serialization (``LanguageCode``)."""

_OTHER: Final = LANGUAGES.index("OTHER")
_RESPONSE: Final = 1
_ONE_WAY: Final = 2

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_PREFIX = struct.Struct(">iI")
_BINARY_HEAD = struct.Struct(">hBhii")
_INT = struct.Struct(">i")
_SHORT = struct.Struct(">h")


class Serialization(IntEnum):
    """How a header is written (``SerializeType``)."""

    JSON = 0
    ROCKETMQ = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One request or answer (``RemotingCommand``)."""

    code: int
    opaque: int
    flag: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)
    remark: str | None = None
    body: bytes = b""
    language: str = "PYTHON"
    version: int = CLIENT_VERSION

    @property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return bool(self.flag & _RESPONSE)

    @property
    def is_one_way(self) -> bool:
        """Whether its sender wants no answer."""
        return bool(self.flag & _ONE_WAY)

    def answer(self, code: int, remark: str) -> Frame:
        """Return an answer to this request."""
        return Frame(code, self.opaque, _RESPONSE, remark=remark)


def encode(frame: Frame, serialization: Serialization = Serialization.JSON) -> bytes:
    """Return a frame's bytes.

    Raises:
        ProtocolError: a number does not fit its place, or the frame is longer than any peer takes.
    """
    if serialization is Serialization.JSON:
        return assemble(_json_header(frame).encode(), frame.body, serialization)
    return assemble(_binary_header(frame), frame.body, serialization)


def assemble(header: bytes, body: bytes, serialization: Serialization = Serialization.JSON) -> bytes:
    """Return a frame's bytes from its encoded header and its body.

    Raises:
        ProtocolError: it would be longer than any peer takes.
    """
    length = 4 + len(header) + len(body)
    if length + 4 > MAX_FRAME:
        raise ProtocolError(
            f"a frame of {length} bytes is too long to send", remedy=f"peers take {MAX_FRAME - 4} bytes at most"
        )
    return _PREFIX.pack(length, serialization << 24 | len(header)) + header + body


def _json_header(frame: Frame) -> str:
    quote = encode_basestring_ascii
    fields = ",".join(f"{quote(key)}:{quote(value)}" for key, value in frame.fields.items())
    remark = f',"remark":{quote(frame.remark)}' if frame.remark is not None else ""
    return (
        f'{{"code":{frame.code},"extFields":{{{fields}}},"flag":{frame.flag},"language":{quote(frame.language)},'
        f'"opaque":{frame.opaque}{remark},"serializeTypeCurrentRPC":"JSON","version":{frame.version}}}'
    )


def _binary_header(frame: Frame) -> bytes:
    language = LANGUAGES.index(frame.language) if frame.language in LANGUAGES else _OTHER
    pairs = bytearray()
    try:
        for key, value in frame.fields.items():
            name, text = key.encode(), value.encode()
            pairs += _SHORT.pack(len(name)) + name + _INT.pack(len(text)) + text
        remark = (frame.remark or "").encode()
        head = _BINARY_HEAD.pack(frame.code, language, frame.version, frame.opaque, frame.flag)
    except (struct.error, UnicodeEncodeError) as error:
        raise ProtocolError(f"request {frame.code} does not fit a ROCKETMQ header: {error}") from error
    return b"".join((head, _INT.pack(len(remark)), remark, _INT.pack(len(pairs)), pairs))


class Decoder:
    """Takes bytes as they come and gives the frames that are complete.

    After a :class:`~rmqops.errors.ProtocolError` the stream has no frame borders any more: close the connection.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[Frame]:
        """Yield the frames that ``data`` completes; run it to its end before feeding again.

        Raises:
            ProtocolError: a length no peer would send, named, before anything is allocated for it; or a frame that
                cannot be read.
        """
        self._buffer += data
        used = 0
        try:
            while len(self._buffer) - used >= 4:
                (length,) = _INT.unpack_from(self._buffer, used)
                if length < 4 or length + 4 > MAX_FRAME:
                    raise ProtocolError(
                        f"a frame length of {length} bytes, where 4 to {MAX_FRAME - 4} are possible",
                        remedy="check that the address and port are those of a NameServer or broker",
                    )
                end = used + 4 + length
                if len(self._buffer) < end:
                    break
                frame = decode(bytes(memoryview(self._buffer)[used + 4 : end]))
                used = end
                yield frame
        finally:
            del self._buffer[:used]


def decode(content: bytes) -> Frame:
    """Return the frame whose bytes after the length word are ``content``.

    Raises:
        ProtocolError: it is none.
    """
    if len(content) < 4:
        raise ProtocolError(f"a frame of {len(content)} bytes has no room for a header length")
    kind, size = content[0], int.from_bytes(content[1:4], "big")
    if 4 + size > len(content):
        raise ProtocolError(f"a header of {size} bytes in a frame of {len(content)}")
    header, body = content[4 : 4 + size], content[4 + size :]
    if kind == Serialization.JSON:
        return _from_json(header, body)
    if kind == Serialization.ROCKETMQ:
        return _from_binary(header, body)
    raise ProtocolError(f"header serialization {kind}, where 0 (JSON) and 1 (ROCKETMQ) exist")


def _from_json(header: bytes, body: bytes) -> Frame:
    try:
        value = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a header that is not JSON: {_shown(header)}") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"a header that is not a JSON object: {_shown(header)}")
    fields = value.get("extFields") or {}
    remark = value.get("remark")
    if not isinstance(fields, dict) or not isinstance(remark, str | None):
        raise ProtocolError(f"a header whose extFields or remark have the wrong type: {_shown(header)}")
    language = value.get("language")
    return Frame(
        code=_number(value, "code", header),
        opaque=_number(value, "opaque", header),
        flag=_number(value, "flag", header),
        fields={
            key: text if isinstance(text, str) else str(text) for key, text in fields.items() if text is not None
        },
        remark=remark,
        body=body,
        language=language if isinstance(language, str) else LANGUAGES[_OTHER],
        version=_number(value, "version", header),
    )


def _number(value: Mapping[str, object], key: str, header: bytes) -> int:
    number = value.get(key, 0)
    if type(number) is int and _INT32_MIN <= number <= _INT32_MAX:
        return number
    raise ProtocolError(f"a header whose {key} is not a number of 32 bits: {_shown(header)}")


def _from_binary(header: bytes, body: bytes) -> Frame:
    try:
        code, language, version, opaque, flag = _BINARY_HEAD.unpack_from(header)
        remark, at = _text(header, _BINARY_HEAD.size, _INT)
        (size,) = _INT.unpack_from(header, at)
        at += _INT.size
        if size != len(header) - at:
            raise ProtocolError(f"{size} bytes of fields in a ROCKETMQ header with {len(header) - at} left")
        fields: dict[str, str] = {}
        while at < len(header):
            key, at = _text(header, at, _SHORT)
            fields[key], at = _text(header, at, _INT)
    except (struct.error, UnicodeDecodeError) as error:
        raise ProtocolError(f"a ROCKETMQ header that cannot be read: {error}") from error
    name = LANGUAGES[language] if language < len(LANGUAGES) else LANGUAGES[_OTHER]
    return Frame(code, opaque, flag, fields, remark or None, body, name, version)


def _text(header: bytes, at: int, size: struct.Struct) -> tuple[str, int]:
    (length,) = size.unpack_from(header, at)
    at += size.size
    if length < 0 or at + length > len(header):
        raise ProtocolError(f"a text of {length} bytes in a ROCKETMQ header with {len(header) - at} left")
    return header[at : at + length].decode(), at + length


def _shown(data: bytes) -> str:
    return repr(data[:80]) + ("…" if len(data) > 80 else "")

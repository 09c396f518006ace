"""Messages: what is sent, what is stored, and the bytes of both. No input, no output, no clock.

The stored form is that of ``MessageDecoder`` (module ``common``, the same in 4.4.0 and 4.5.2): big-endian numbers,
an IPv4 address of four bytes for each host, the body as it was sent, and the CRC-32 of it that the broker made.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rmqops.errors import ProtocolError, UsageError
from rmqops.remoting.codes import MessageFlag

MAX_TOPIC_BYTES: Final = 127
"""The longest topic in UTF-8. A broker counts characters (``DefaultMessageStore.putMessage``) but writes the
number of bytes into one signed byte (``CommitLog``, ``DLedgerCommitLog``): a longer topic would leave a message in
its log that it cannot read again, so it is never sent."""

MAX_GROUP: Final = 255
"""Characters of a consumer group's name (``Validators.CHARACTER_MAX_LENGTH``). What one of more than 120 bytes
gives back cannot be stored: its topic is ``%RETRY%`` and the name."""

MAX_BODY: Final = 64 * 1024 * 1024
"""How far a compressed body may unfold; brokers store at most 4 MiB by default (``maxMessageSize``)."""

_MAGIC: Final = -626843481
_HEAD = struct.Struct(">iiIiiqqiq4siq4siiqi")
_SHORT = struct.Struct(">h")
_NAME_END, _PAIR_END = "\x01", "\x02"
_CRC_MASK: Final = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Message:
    """A message to be sent; the topic is the producer's business."""

    body: bytes
    key: str | None = None
    """Stored as ``KEYS``, and what a choice of queue by hash goes by."""
    tag: str | None = None
    """Stored as ``TAGS``."""
    properties: Mapping[str, str] = field(default_factory=dict)

    def all_properties(self) -> Mapping[str, str]:
        """Return the properties with key and tag among them, under the names the official client uses."""
        if self.key is None and self.tag is None:
            return self.properties
        own = dict(self.properties)
        if self.key is not None:
            own["KEYS"] = self.key
        if self.tag is not None:
            own["TAGS"] = self.tag
        return own


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as a broker gave it back; the body is unfolded if it was compressed."""

    topic: str
    queue: int
    offset: int
    """In its queue."""
    body: bytes
    properties: Mapping[str, str]
    msg_id: str
    """The broker's id: the address that stored it and the place in its log, in hexadecimal."""
    born_host: str
    born_ms: int
    """Milliseconds since the epoch by the sender's clock."""
    store_host: str
    store_ms: int
    """Milliseconds since the epoch by the broker's clock."""
    log_offset: int
    size: int
    """Bytes in the broker's log."""
    flag: int = 0
    sys_flag: int = 0
    reconsumed: int = 0
    """How often it was given back for another try."""

    @property
    def key(self) -> str | None:
        """The key or keys it was sent with."""
        return self.properties.get("KEYS")

    @property
    def tag(self) -> str | None:
        """The tag it was sent with."""
        return self.properties.get("TAGS")

    @property
    def compressed(self) -> bool:
        """Whether its body lies compressed in the broker's log."""
        return bool(self.sys_flag & MessageFlag.COMPRESSED)


def encode_properties(properties: Mapping[str, str]) -> str:
    """Return properties as one text: name, character 1, value, character 2 for each.

    Raises:
        UsageError: a name is empty, a value is empty (a broker and the official client drop such a property in
            silence, ``MessageDecoder.string2messageProperties``), or one holds a separator or half a surrogate
            pair.
    """
    for name, value in properties.items():
        for part in (name, value):
            if not part or _NAME_END in part or _PAIR_END in part or not _encodable(part):
                raise UsageError(
                    f"the property {name!r}: {value!r} cannot be stored",
                    remedy="names and values must not be empty nor hold characters 1 and 2 or half surrogates",
                )
    return "".join(f"{name}{_NAME_END}{value}{_PAIR_END}" for name, value in properties.items())


def decode_properties(text: str) -> dict[str, str]:
    """Return the properties of a stored text, without pairs that have no separator (as the official client)."""
    pairs = (pair.partition(_NAME_END) for pair in text.split(_PAIR_END) if _NAME_END in pair)
    return {name: value for name, _, value in pairs}


def check_topic(topic: str) -> str:
    """Return a topic that a broker can store.

    Raises:
        UsageError: it is empty or too long; see :data:`MAX_TOPIC_BYTES`.
    """
    size = len(topic.encode()) if _encodable(topic) else 0
    if 0 < size <= MAX_TOPIC_BYTES:
        return topic
    raise UsageError(
        f"the topic {topic!r} has {size} bytes in UTF-8", remedy=f"a topic has 1 to {MAX_TOPIC_BYTES} bytes"
    )


def check_consumer_group(group: str) -> str:
    """Return the name of a consumer group that a broker can know.

    Raises:
        UsageError: it is empty or too long (``Validators.checkGroup``), or no Unicode text.
    """
    if 0 < len(group) <= MAX_GROUP and _encodable(group):
        return group
    raise UsageError(
        f"{group!r} is no name of a consumer group",
        remedy=f"one has 1 to {MAX_GROUP} characters: rmqops group list",
    )


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def compress(body: bytes) -> bytes:
    """Return a body as the official client compresses it (zlib, level 5; ``UtilAll.compress``)."""
    return zlib.compress(body, 5)


def decode_batch(data: bytes) -> Iterator[StoredMessage]:
    """Yield the messages of a pull's body, in order.

    Raises:
        ProtocolError: a message is cut short, is not one, does not have the CRC-32 that its broker made of it, or
            unfolds to more than :data:`MAX_BODY` bytes.
    """
    at = 0
    while at < len(data):
        message, at = _decode_one(data, at)
        yield message


def _decode_one(data: bytes, start: int) -> tuple[StoredMessage, int]:
    try:
        (
            size, magic, crc, queue, flag, offset, log_offset, sys_flag,
            born_ms, born_ip, born_port, store_ms, store_ip, store_port,
            reconsumed, _prepared, body_size,
        ) = _HEAD.unpack_from(data, start)  # fmt: skip
        end = start + size
        if magic != _MAGIC:
            raise ProtocolError(f"message magic {magic}, where {_MAGIC} was due")
        if size < _HEAD.size or end > len(data):
            raise ProtocolError(f"a message of {size} bytes with {len(data) - start} left")
        body, at = _take(data, start + _HEAD.size, body_size, end)
        topic, at = _take(data, at + 1, data[at], end)
        (properties_size,) = _SHORT.unpack_from(data, at)
        properties, at = _take(data, at + 2, properties_size, end)
        where = f"{topic.decode()} queue {queue} offset {offset}"
        text = properties.decode()
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a stored message that cannot be read: {error}") from error
    if at != end:
        raise ProtocolError(f"{where}: the message says {size} bytes and has {at - start}")
    if body and zlib.crc32(body) & _CRC_MASK != crc & _CRC_MASK:
        raise ProtocolError(f"{where}: the body's CRC-32 is not the stored one; the message is damaged")
    message = StoredMessage(
        topic=topic.decode(),
        queue=queue,
        offset=offset,
        body=_unfold(body, where) if sys_flag & MessageFlag.COMPRESSED and body else body,
        properties=decode_properties(text),
        msg_id=f"{store_ip.hex()}{store_port & 0xFFFFFFFF:08x}{log_offset & 0xFFFFFFFFFFFFFFFF:016x}".upper(),
        born_host=f"{'.'.join(map(str, born_ip))}:{born_port}",
        born_ms=born_ms,
        store_host=f"{'.'.join(map(str, store_ip))}:{store_port}",
        store_ms=store_ms,
        log_offset=log_offset,
        size=size,
        flag=flag,
        sys_flag=sys_flag,
        reconsumed=reconsumed,
    )
    return message, end


def _take(data: bytes, at: int, size: int, end: int) -> tuple[bytes, int]:
    if size < 0 or at + size > end:
        raise ProtocolError(f"a part of {size} bytes in a message with {end - at} left")
    return data[at : at + size], at + size


def _unfold(body: bytes, where: str) -> bytes:
    unfolding = zlib.decompressobj()
    try:
        unfolded = unfolding.decompress(body, MAX_BODY)
    except zlib.error as error:
        raise ProtocolError(f"{where}: the body is marked as compressed and is not: {error}") from error
    if not unfolding.eof:
        raise ProtocolError(f"{where}: the compressed body is cut short or unfolds to more than {MAX_BODY} bytes")
    return unfolded

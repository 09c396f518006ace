"""The bytes a broker stores a message as, written independently of the code under test."""

from __future__ import annotations

import struct
import zlib


def stored(
    body: bytes = b"body",
    *,
    topic: str = "t",
    queue: int = 0,
    offset: int = 0,
    properties: str = "",
    sys_flag: int = 0,
    log_offset: int = 0,
    crc: int | None = None,
) -> bytes:
    name, pairs = topic.encode(), properties.encode()
    rest = struct.pack(">i", zlib.crc32(body) & 0x7FFFFFFF if crc is None else crc)
    rest += struct.pack(">iiqqi", queue, 0, offset, log_offset, sys_flag)
    rest += struct.pack(">q", 1_700_000_000_001) + bytes([10, 0, 0, 9]) + struct.pack(">i", 5555)
    rest += struct.pack(">q", 1_700_000_000_002) + bytes([10, 0, 0, 1]) + struct.pack(">i", 10911)
    rest += struct.pack(">iq", 2, 0) + struct.pack(">i", len(body)) + body
    rest += bytes([len(name)]) + name + struct.pack(">h", len(pairs)) + pairs
    return struct.pack(">ii", 8 + len(rest), -626843481) + rest

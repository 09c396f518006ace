"""IPv4 addresses as text, told apart by what they are for.

RocketMQ 4.4 and 4.5 know IPv4 alone: an address is split at ``:`` (``RemotingUtil.string2SocketAddress``) and the
store keeps a host in four bytes (``MessageDecoder``). The standard library's ``ipaddress`` is not used because its
import costs as much as loading an inventory.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Sort = Literal["host", "name", "ipv6", "loopback", "unspecified", "unusable", "documentation"]

_QUAD: Final = re.compile(r"(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})", re.ASCII)
_DOCUMENTATION: Final = ((192, 0, 2), (198, 51, 100), (203, 0, 113))
"""RFC 5737."""


def sort(text: str) -> Sort:
    """Return what sort of address a text is; ``name`` when it is none."""
    if ":" in text:
        return "ipv6"
    quad = _QUAD.fullmatch(text)
    parts = tuple(int(part) for part in quad.groups()) if quad else ()
    if not parts or max(parts) > 255:
        return "name"
    if parts == (0, 0, 0, 0):
        return "unspecified"
    if parts[0] == 127:
        return "loopback"
    if parts[0] == 0 or parts[0] >= 224:
        return "unusable"
    return "documentation" if parts[:3] in _DOCUMENTATION else "host"

"""``host:port``, the way RocketMQ writes addresses."""

from __future__ import annotations

from rmqops.errors import UsageError


def split(address: str) -> tuple[str, int]:
    """Return host and port.

    Raises:
        UsageError: it is not ``host:port`` with a port from 1 to 65535.
    """
    host, colon, port = address.strip().rpartition(":")
    if colon and host and port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65535:
        return host, int(port)
    raise UsageError(f"{address!r} is not an address", remedy="write HOST:PORT, for example 127.0.0.1:9876")


def split_list(addresses: str) -> tuple[str, ...]:
    """Return the addresses of ``a:1;b:2``, as in ``namesrvAddr``, each checked.

    Raises:
        UsageError: there is none, or one is wrong.
    """
    parts = tuple(part.strip() for part in addresses.split(";") if part.strip())
    if not parts:
        raise UsageError("no address was given", remedy="write HOST:PORT, several with ; between them")
    for address in parts:
        split(address)
    return parts

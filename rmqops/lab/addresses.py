"""PURE. Which subnet a lab may take, and which address each of its hosts has there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from rmqops.lab.layout import FIRST_ADDRESS, FIRST_CLIENT, LabRequest

CANDIDATES: Final = tuple(
    IPv4Network((f"10.{second}.{third}.0", 24)) for second in (213, 214, 227) for third in range(32)
)
"""Private networks (RFC 1918) off the beaten track of routers, VPNs and container engines."""


def routed(table: str) -> tuple[IPv4Network, ...]:
    """Return the networks that a machine has routes to, its default route aside.

    Args:
        table: The text of ``/proc/net/route``: destination and mask in columns 1 and 7, hexadecimal,
            little-endian.
    """
    networks = []
    for line in table.splitlines()[1:]:
        columns = line.split()
        destination, mask = (IPv4Address(bytes.fromhex(columns[index])[::-1]) for index in (1, 7))
        if int(mask):
            networks.append(IPv4Network((destination, str(mask)), strict=False))
    return tuple(networks)


def free(occupied: Sequence[IPv4Network]) -> Iterator[IPv4Network]:
    """Yield the candidates that overlap no network that is occupied."""
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(network) for network in occupied):
            yield candidate


def addresses(subnet: str, request: LabRequest) -> dict[str, str]:
    """Return the address of each host, by its number, so that it never changes."""
    base = IPv4Network(subnet).network_address
    return {
        host: str(base + first + index)
        for first, hosts in ((FIRST_ADDRESS, request.carriers), (FIRST_CLIENT, request.bare))
        for index, host in enumerate(hosts)
    }

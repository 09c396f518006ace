"""Clients and peers can reach every instance at its address, which is an IPv4 address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model import addresses
from rmqops.model.addresses import Sort
from rmqops.model.cluster import Cluster, InventoryHost

_SET: Final = "Set rocketmq_address to the host's IPv4 address"
_WRONG: Final[dict[Sort, tuple[str, str]]] = {
    "name": ("is not an IP address", _SET),
    "ipv6": (
        "is not an IPv4 address: RocketMQ 4.4 and 4.5 split an address at `:` and store a host in four bytes",
        _SET,
    ),
    "unspecified": ("is the address of no host: nobody can reach it", _SET),
    "unusable": ("is not the address of a host", _SET),
}
_HYPHEN: Final = (
    "is a host name with a hyphen, and DLedger splits its peers at `-`: it would cut the name in two",
    _SET,
)


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield addresses that others cannot use."""
    several = len(cluster.places) > 1
    for host in cluster.members:
        for key in ("rocketmq_address", "rocketmq_replication_address"):
            if key == "rocketmq_address" or (host.kind == "broker" and key in host.raw.variables):
                yield from _address(host, key, several)


def _address(host: InventoryHost, key: str, several: bool) -> Iterator[Problem]:
    if key not in host.values:
        return
    text = host.text(key)
    sort = addresses.sort(text)
    # Where an address was left to its default, ansible_host is the line to look at.
    variable = (
        key if key in host.raw.variables else "ansible_host" if "ansible_host" in host.raw.variables else key
    )
    if sort in _WRONG:
        what, remedy = _WRONG[sort]
        if sort == "name" and "-" in text and host.kind == "broker" and host.text("rocketmq_mode") == "dledger":
            what, remedy = _HYPHEN
        if key not in host.raw.variables:
            what = f"stands for {key}, which is not set, and {what}"
        yield host.problem(variable, what, remedy, found=text)
    elif sort == "loopback" and several:
        what = "is a loopback address in an inventory of several machines: the others would reach themselves"
        yield host.problem(variable, what, _SET, found=text)
    elif sort == "documentation":
        what = "is reserved for documentation (RFC 5737), so no host has it"
        yield host.problem(variable, what, "Put in the host's own address", found=text, severity="placeholder")

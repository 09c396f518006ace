"""No two instances of one machine take the same port, the ports that RocketMQ derives by itself included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost


@dataclass(frozen=True)
class _PortClaim:
    host: InventoryHost
    key: str
    """The variable that decides the port."""
    port: int
    what: str


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield ports that do not exist, and settings that collide, each pair of them once."""
    claims = [claim for host in cluster.members for claim in _claims(host)]
    for claim in claims:
        if not 1 <= claim.port <= 65535:
            what = f"gives the {claim.what} {claim.port}, which is not a port"
            yield claim.host.problem(claim.key, what, "Choose one so that all lie from 1 to 65535")
    yield from _collisions(claims)


def _claims(host: InventoryHost) -> Iterator[_PortClaim]:
    listen = host.number("rocketmq_listen_port")
    if listen is not None:
        yield _PortClaim(host, "rocketmq_listen_port", listen, "port")
    if host.kind == "broker" and listen is not None:
        # BrokerController.initialize and MessageStoreConfig.haListenPort. DLedger makes no use of the second, but
        # keeping it free lets a group change its mode.
        yield _PortClaim(host, "rocketmq_listen_port", listen - 2, "fast remoting port (listen port - 2)")
        yield _PortClaim(host, "rocketmq_listen_port", listen + 1, "replication port (listen port + 1)")
    dledger = host.number("rocketmq_dledger_port")
    if host.kind == "broker" and host.text("rocketmq_mode") == "dledger" and dledger is not None:
        yield _PortClaim(host, "rocketmq_dledger_port", dledger, "DLedger port")


def _collisions(claims: list[_PortClaim]) -> Iterator[Problem]:
    """RocketMQ binds its ports on every address, so a machine has each port once; an address does, too."""
    claims_by_port: dict[tuple[str, int], _PortClaim] = {}
    reported: set[tuple[str, str, str]] = set()
    for claim in claims:
        first = None
        for place in (claim.host.place, f"address {claim.host.text('rocketmq_address')}"):
            first = first or claims_by_port.get((place, claim.port))
            claims_by_port.setdefault((place, claim.port), claim)
        if first is not None and (claim.host.name, claim.key, first.host.name) not in reported:
            reported.add((claim.host.name, claim.key, first.host.name))
            origin = first.host.raw.origins.get(first.key, "by default")
            same = "on the same machine" if first.host.place == claim.host.place else "at the same address"
            what = (
                f"gives the {claim.what} {claim.port}, which is the {first.what} of {first.host.name} "
                f"({origin}) {same}, {claim.host.place}"
            )
            remedy = "Give brokers of one machine listen ports 10 apart, and every instance ports of its own"
            yield claim.host.problem(claim.key, what, remedy)

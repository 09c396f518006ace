"""A minimal `broker.p` holds two lines; what it does not hold must be what RocketMQ takes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost

_OWN: Final = {
    "rocketmq_mode": "single",
    "rocketmq_listen_port": "10911",
    "rocketmq_cluster": "DefaultCluster",
}
"""RocketMQ's own values (``BrokerConfig``, ``BrokerStartup``) of what the two lines do not say."""


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield settings that a minimal configuration would drop in silence."""
    for host in cluster.brokers:
        if host.values.get("rocketmq_minimal_config") is True:
            yield from _dropped(host)


def _dropped(host: InventoryHost) -> Iterator[Problem]:
    for key, value in _OWN.items():
        if key in host.values and host.text(key) != value:
            what = f"is not in a minimal broker.p, and RocketMQ's own value is {value}"
            yield host.problem(key, what, f"Set it to {value}, or rocketmq_minimal_config to false")
    if host.values.get("rocketmq_config"):
        what = "is not in a minimal broker.p, so it would do nothing"
        remedy = "Remove it, or set rocketmq_minimal_config to false"
        yield host.problem("rocketmq_config", what, remedy)

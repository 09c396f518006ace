"""Instances and clients are reached by ssh, or are on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster

_KNOWN: Final = ("", "ssh", "local", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh")


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield connections that rmqops cannot make."""
    for host in (*cluster.members, *cluster.clients):
        if host.text("ansible_connection") not in _KNOWN:
            what = "is a connection that rmqops cannot make"
            yield host.problem("ansible_connection", what, "Use ssh, or local for this machine")
        key = host.setting("ansible_port")
        port = host.number(key)
        if key in host.values and (port is None or not 1 <= port <= 65535):
            yield host.problem(key, "is not a port", "Use a number from 1 to 65535")

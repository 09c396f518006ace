"""Names fit wherever they end up: paths, unit names, process lists, topics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster

_INSTANCE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_TOPIC: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,126}")
"""Brokers make topics named after their group and cluster (``TopicConfigManager``), so these are held to a
topic's characters (``Validators.VALID_PATTERN_STR``) without ``%`` and ``|``; 127 is the longest name of a topic
that the store can hold (``CommitLog``, one signed byte)."""
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield names with characters that do not fit."""
    for host in cluster.members:
        if not _INSTANCE.fullmatch(host.name):
            what = "is not a name for an instance: it is used in paths and unit names"
            yield cluster.problem(
                host.name, what, "Use letters, digits, `_`, `.` and `-`, the first no `.` or `-`"
            )
        cluster_name = host.text("rocketmq_cluster")
        if cluster_name and not _TOPIC.fullmatch(cluster_name):
            what = "is not a name for a cluster: brokers make a topic of that name"
            yield host.problem("rocketmq_cluster", what, "Use letters, digits, `_` and `-`, the first no `-`")
        if host.text("rocketmq_user") and not _USER.fullmatch(host.text("rocketmq_user")):
            yield host.problem("rocketmq_user", "is not the name of a user", "Name a user, such as rocketmq")
        elif host.text("rocketmq_user") == "root":
            what = "runs RocketMQ as root: whoever makes it run a command is root on that machine"
            remedy = "Name a user of its own, such as rocketmq"
            yield host.problem("rocketmq_user", what, remedy, severity="warning")
    for name in cluster.groups:
        if not _TOPIC.fullmatch(name):
            what = "is not a name for a broker group: brokers make a topic of that name"
            yield cluster.problem(name, what, "Use letters, digits, `_` and `-`, the first no `-`")

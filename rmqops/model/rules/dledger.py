"""A DLedger group has three members with ids of their own.

Why three: DLedger itself runs with any number, but an even one survives no more deaths than the odd one below it,
and with five every message is written five times and waits for three. The drills of rmqops prove groups of three;
it does not offer what it has not proven.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.errors import Problem
from rmqops.model.cluster import Cluster, InventoryHost
from rmqops.model.topology import DLEDGER_GROUP_SIZE

_ID: Final = re.compile(r"[A-Za-z](0|[1-9][0-9]{0,8})", re.ASCII)
"""``DLedgerCommitLog`` takes the broker id from what follows the first character: its number + 1."""


def check(cluster: Cluster) -> Iterator[Problem]:
    """Yield groups of the wrong size and members without an id of their own."""
    for name, hosts in cluster.groups.items():
        members = [host for host in hosts if host.text("rocketmq_mode") == "dledger"]
        if members and len(hosts) != DLEDGER_GROUP_SIZE:
            yield cluster.problem(
                name,
                f"a DLedger group has {DLEDGER_GROUP_SIZE} members, so that two can outvote a dead one",
                f"Make it {DLEDGER_GROUP_SIZE}, or set rocketmq_mode to master-slave or single",
                found=f"{len(hosts)}: {', '.join(host.name for host in hosts)}",
            )
        yield from _ids(members)


def _ids(members: list[InventoryHost]) -> Iterator[Problem]:
    key = "rocketmq_dledger_id"
    numbers: dict[int, InventoryHost] = {}
    for host in members:
        if key not in host.values:
            if key not in host.raw.variables:
                what = "is not set, and every member of a DLedger group needs one"
                yield host.problem(key, what, "Set n0, n1 and n2 on the three hosts of the group")
            continue
        match = _ID.fullmatch(host.text(key))
        if match is None:
            yield host.problem(key, "is not one letter and a number", "Use n0, n1 and n2")
            continue
        first = numbers.setdefault(int(match[1]), host)
        if first is not host:
            what = (
                f"has the number of {first.name}'s, {first.text(key)} ({first.raw.origins.get(key, 'default')}), "
                "and both would register as the same broker id"
            )
            yield host.problem(key, what, "Number the members of a group n0, n1 and n2")

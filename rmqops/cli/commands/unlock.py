"""``rmqops unlock``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmqops.cli import fleet_change, host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, ConfirmCluster, Inventory, Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rmqops.operations.change.lock import Seen


def command(
    inventory: Inventory,
    confirm: ConfirmCluster = None,
    json: Json = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Break the lock of a cluster at once, whoever holds it.

    Shows who holds it, and asks for the cluster's name. A holder that lives ends before its next step; the lock of
    one that is dead or cut off ends by itself within a minute.
    """
    from rmqops.errors import OperationFailed
    from rmqops.operations import inventories
    from rmqops.operations.change import audit, lock

    topology = inventories.load(inventory).topology
    if confirm is not None:
        fleet_change.refuse_other_name(topology, confirm, "breaks the lock of")
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    with audit.recorded("unlock", topology) as entry:
        if confirm is None:
            seen = lock.look(topology)
            for line in _lines(seen, "held by"):
                output.note(line)
            if not any(one.holder or one.error for one in seen):
                _show(topology.cluster, seen, json)
                return
            typed = output.ask(f"This breaks the lock of cluster {topology.cluster}. Type its name to go on:")
            fleet_change.refuse_other_name(topology, typed, "breaks the lock of")
        seen = lock.break_open(topology)
        entry.plan = _lines(seen, "broke the lock of")
        _show(topology.cluster, seen, json)
        unasked = [one for one in seen if one.error]
        if unasked:
            raise OperationFailed(
                f"the lock may be held still on {', '.join(one.host for one in unasked)}",
                detail="\n".join(f"{one.host}: {one.error}" for one in unasked),
                remedy="there it ends by itself, within a minute after its holder's last pulse",
            )


def _lines(seen: Sequence[Seen], how: str) -> list[str]:
    return [f"{one.host}: {how} {one.holder}" for one in seen if one.holder]


def _show(cluster: str, seen: Sequence[Seen], json: bool) -> None:
    if json:
        output.result_json(
            {
                "cluster": cluster,
                "broken": [{"host": one.host, "holder": one.holder} for one in seen if one.holder],
            }
        )
        return
    for line in _lines(seen, "broke the lock of"):
        output.result(line)
    if not any(one.holder or one.error for one in seen):
        output.result(f"nobody holds the lock of {cluster}")

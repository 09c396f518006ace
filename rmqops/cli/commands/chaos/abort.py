"""``rmqops chaos abort``."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.cli.options import Inventory
from rmqops.errors import OperationFailed


def command(inventory: Inventory) -> None:
    """End the drill that you run from another shell: it heals, cleans up and judges what it has."""
    from rmqops.chaos.run import lock
    from rmqops.operations import inventories

    topology = inventories.load(inventory).topology
    if not lock.abort(topology):
        raise OperationFailed(
            f"no drill of yours runs against {topology.cluster} on this machine",
            remedy=f"if one was left behind: rmqops chaos heal --inventory {topology.inventory}",
        )
    output.result(f"the drill against {topology.cluster} was asked to end; it heals first")

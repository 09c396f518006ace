"""``rmqops stop``."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.cli.options import Instances, Inventory


def command(inventory: Inventory, instances: Instances = None) -> None:
    """Stop instances, brokers first."""
    from rmqops.cli.steps import steps
    from rmqops.operations import inventories, lifecycle, logbook

    topology = inventories.load(inventory).topology
    chosen = lifecycle.chosen(topology, instances or [])
    with steps() as shown:
        lifecycle.stop(topology, chosen, logbook.new_log("stop", topology.cluster), shown.listen)
    output.result("stopped: " + ", ".join(instance.name for instance in chosen))

"""``rmqops start``."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.cli.options import Instances, Inventory


def command(inventory: Inventory, instances: Instances = None) -> None:
    """Start instances that a deploy put in place, NameServers first."""
    from rmqops.cli.steps import steps
    from rmqops.operations import inventories, lifecycle, logbook

    topology = inventories.load(inventory).topology
    chosen = lifecycle.chosen(topology, instances or [])
    with steps() as shown:
        lifecycle.start(topology, chosen, logbook.new_log("start", topology.cluster), shown.listen)
    output.result("running: " + ", ".join(instance.name for instance in chosen))

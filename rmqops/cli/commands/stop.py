"""``rmqops stop``."""

from __future__ import annotations

from rmqops.cli import hosts, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Instances, Inventory


def command(
    inventory: Inventory,
    instances: Instances = None,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Stop instances, brokers first."""
    from rmqops.cli.steps import steps
    from rmqops.operations import inventories, lifecycle, logbook

    topology = inventories.load(inventory).topology
    chosen = lifecycle.chosen(topology, instances or [])
    hosts.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    with steps() as shown:
        lifecycle.stop(topology, chosen, logbook.new_log("stop", topology.cluster), shown.listen)
    output.result("stopped: " + ", ".join(instance.name for instance in chosen))

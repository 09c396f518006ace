"""``rmqops restart``."""

from __future__ import annotations

from rmqops.cli import hosts, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Instances, Inventory


def command(
    inventory: Inventory,
    instances: Instances = None,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Restart instances one at a time, followers before the master, healthy between one and the next."""
    from rmqops.cli.steps import steps
    from rmqops.operations import inventories, lifecycle, logbook

    topology = inventories.load(inventory).topology
    chosen = lifecycle.chosen(topology, instances or [])
    hosts.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    with steps() as shown:
        log = logbook.new_log("restart", topology.cluster)
        lifecycle.restart(topology, chosen, log, shown.listen, shown.say)
    output.result("restarted: " + ", ".join(instance.name for instance in chosen))

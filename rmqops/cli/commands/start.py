"""``rmqops start``."""

from __future__ import annotations

from pathlib import Path

from rmqops.cli import host_access, output
from rmqops.cli.changes import changing
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Instances, Inventory


def command(
    inventory: Inventory,
    instances: Instances = None,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Start instances that a deploy put in place, NameServers first."""
    from rmqops.operations import inventories
    from rmqops.operations.change import lifecycle

    topology = inventories.load(inventory).topology
    chosen = topology.select(instances or [])
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    with changing("start", topology) as (shown, entry):
        entry.plan = [f"start {instance.name}" for instance in chosen]
        lifecycle.start(topology, chosen, Path(entry.log), shown.listen)
    output.result("running: " + ", ".join(instance.name for instance in chosen))

"""``rmqops destroy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import fleet_change, host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, ConfirmCluster, Inventory

if TYPE_CHECKING:
    from rmqops.operations.change.destroy import Removal


def command(
    inventory: Inventory,
    confirm: ConfirmCluster = None,
    data: Annotated[bool, typer.Option("--data", help="Remove the messages as well.")] = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Stop a cluster and remove what a deploy made; the messages stay unless --data is given.

    Faults of drills that may be in force are healed first.
    """
    from functools import partial

    from rmqops.chaos.run import heal
    from rmqops.operations import inventories
    from rmqops.operations.change.destroy import Destroy
    from rmqops.operations.change.fleet import Fleet

    topology = inventories.load(inventory).topology
    if confirm is not None:
        fleet_change.refuse_other_name(topology, confirm, "removes")
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)

    def ask(_plan: Removal) -> None:
        messages = "and ALL ITS MESSAGES" if data else "(its messages stay)"
        question = f"This removes cluster {topology.cluster} {messages}. Type the cluster's name to go on:"
        fleet_change.refuse_other_name(topology, output.ask(question), "removes")

    completed = fleet_change.perform(
        Destroy(Fleet(topology), data, partial(heal.end_faults, topology)), _show, ask if confirm is None else None
    )
    removed = completed.plan.instances
    output.result(f"removed: {', '.join(removed)}" if removed else "there was nothing to remove")


def _show(plan: Removal) -> None:
    for step in plan.steps:
        output.note(step)
    for text in plan.unlisted:
        output.note(f"left running: {text}")

"""``rmqops destroy``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmqops.cli import host_access, output
from rmqops.cli.changes import changing
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory


def command(
    inventory: Inventory,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="CLUSTER", help="The cluster's name, instead of being asked."),
    ] = None,
    data: Annotated[bool, typer.Option("--data", help="Remove the messages as well.")] = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Stop a cluster and remove what a deploy made; the messages stay unless --data is given."""
    from rmqops.operations import inventories
    from rmqops.operations.change import destroy

    topology = inventories.load(inventory).topology
    what = "and ALL ITS MESSAGES" if data else "(its messages stay)"
    question = f"This removes cluster {topology.cluster} {what}. Type the cluster's name to go on:"
    typed = confirm if confirm is not None else output.ask(question)
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    with changing("destroy", topology) as (shown, entry):
        log = Path(entry.log)
        removed = destroy.destroy(topology, typed=typed, data=data, log=log, listener=shown.listen)
        entry.plan = [f"remove {name}{' and its messages' if data else ''}" for name in removed]
    output.result(f"removed: {', '.join(removed)}" if removed else "there was nothing to remove")

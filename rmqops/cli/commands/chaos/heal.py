"""``rmqops chaos heal``."""

from __future__ import annotations

from typing import Annotated

import typer

from rmqops.cli import host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json, Limit
from rmqops.cli.runs import find_run


def command(
    inventory: Inventory,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="A run whose journal is gone through as well, and its topic deleted."
        ),
    ] = None,
    limit: Limit = None,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget", help="Disarm a heal that fails all the same: what it would have ended is yours to end."
        ),
    ] = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
    json: Json = False,
) -> None:
    """End every fault that a drill has left in force; may be run any number of times.

    Every host is asked for the heals that lie armed there, so no journal is needed. A host that cannot be asked is
    named, and the others are healed. Exit code 7 if one failed or could not be asked.
    """
    from rmqops.chaos.run import heal
    from rmqops.operations import inventories

    topology = inventories.load(inventory).topology
    only = topology.select(limit) if limit else ()
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    mended = heal.heal(topology, find_run(run) if run else None, only=only, forget=forget)
    if json:
        output.result_json(
            {
                "healed": [{"what": item.what, "where": item.where} for item in mended if not item.error],
                "failed": [
                    {"what": item.what, "where": item.where, "error": item.error} for item in mended if item.error
                ],
            }
        )
    else:
        for item in mended:
            if not item.error:
                output.result(f"healed {item.what} on {item.where}")
        if not mended:
            output.result(f"{topology.cluster}: nothing to heal")
    heal.require(mended)

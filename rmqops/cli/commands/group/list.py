"""``rmqops group list``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json


def command(
    inventory: Inventory,
    everything: Annotated[bool, typer.Option("--all", help="Groups of the system as well.")] = False,
    json: Json = False,
) -> None:
    """List the consumer groups that brokers know: members connected, topics consumed, messages left."""
    from rmqops.operations import groups, inventories
    from rmqops.remoting.client import Client

    topology = inventories.load(inventory).topology

    async def survey() -> groups.Groups:
        async with Client() as client:
            return await groups.survey(topology, client)

    found = asyncio.run(survey())
    if json:
        output.result_json(found.json())
        return
    output.table(
        f"consumer groups of {topology.cluster}",
        ["group", "members", "lag", "topics"],
        [
            [group.name, str(group.members), f"{group.lag:,}", ", ".join(group.topics)]
            for group in found.groups
            if everything or not group.system
        ],
    )
    for problem in found.problems:
        output.note(f"problem: {problem}")

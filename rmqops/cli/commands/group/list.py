"""``rmqops group list``."""

from __future__ import annotations

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
    from rmqops.operations import inventories
    from rmqops.operations.topics import consumer_group_status
    from rmqops.remoting.client import Client
    from rmqops.system import event_loop

    topology = inventories.load(inventory).topology

    async def survey() -> consumer_group_status.ConsumerGroupList:
        async with Client() as client:
            return await consumer_group_status.list_groups(topology, client)

    found = event_loop.run(survey())
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

"""``rmqops topic list``."""

from __future__ import annotations

from typing import Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json


def command(
    inventory: Inventory,
    everything: Annotated[
        bool, typer.Option("--all", help="Topics of the system, and of what consumer groups gave back, as well.")
    ] = False,
    json: Json = False,
) -> None:
    """List the topics that the NameServers know, and where they differ; every one of them is asked."""
    from rmqops.operations import inventories
    from rmqops.operations.topics import topic_status as topic_survey
    from rmqops.remoting.client import Client
    from rmqops.system import event_loop

    topology = inventories.load(inventory).topology

    async def survey() -> topic_survey.TopicList:
        async with Client() as client:
            return await topic_survey.list_topics(topology, client)

    found = event_loop.run(survey())
    if json:
        output.result_json(found.json())
        return
    for name in found.names + (found.system if everything else ()):
        output.result(name)
    for difference in found.differences:
        output.note(f"difference: {difference}")

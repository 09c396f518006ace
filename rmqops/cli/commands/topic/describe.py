"""``rmqops topic describe``."""

from __future__ import annotations

import asyncio

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json, Topic


def command(topic: Topic, inventory: Inventory, json: Json = False) -> None:
    """Show where a topic lies: its route, the queues and offsets on each broker, each group's share.

    A share is a group's part of the messages that its master holds now.
    """
    from rmqops.cli.topics import show
    from rmqops.operations import inventories, topic_survey
    from rmqops.remoting.client import Client

    topology = inventories.load(inventory).topology

    async def describe() -> topic_survey.TopicStatus:
        async with Client() as client:
            return await topic_survey.describe(topology, client, topic)

    found = asyncio.run(describe())
    if json:
        output.result_json(found.json())
    else:
        show(found)

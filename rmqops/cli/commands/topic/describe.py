"""``rmqops topic describe``."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json, Topic


def command(topic: Topic, inventory: Inventory, json: Json = False) -> None:
    """Show where a topic lies: its route, the queues and offsets on each broker, each group's share.

    A share is a group's part of the messages that its master holds now.
    """
    from rmqops.cli.topic_table import show
    from rmqops.operations import inventories
    from rmqops.operations.topics import topic_status
    from rmqops.remoting.client import Client
    from rmqops.system import event_loop

    topology = inventories.load(inventory).topology

    async def describe() -> topic_status.TopicStatus:
        async with Client() as client:
            return await topic_status.describe(topology, client, topic)

    found = event_loop.run(describe())
    if json:
        output.result_json(found.json())
    else:
        show(found)

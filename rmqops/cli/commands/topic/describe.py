"""``rmqops topic describe``."""

from __future__ import annotations

from rmqops.cli import question
from rmqops.cli.options import Inventory, Json, Topic


def command(topic: Topic, inventory: Inventory, json: Json = False) -> None:
    """Show where a topic lies: its route, the queues and offsets on each broker, each group's share.

    A share is a group's part of the messages that its master holds now.
    """
    from rmqops.cli import topic_table
    from rmqops.operations.topics import topic_status

    question.answer(
        inventory,
        lambda topology, client: topic_status.describe(topology, client, topic),
        lambda _, status: topic_table.show(status),
        json=json,
    )

"""``rmqops group describe``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json

if TYPE_CHECKING:
    from rmqops.operations.topics.consumer_group_status import ConsumerGroupStatus
    from rmqops.system import event_loop


def command(
    group: Annotated[str, typer.Argument(help="The consumer group.")], inventory: Inventory, json: Json = False
) -> None:
    """Show a consumer group: its members, how far it is behind in each queue, and which member has which queue."""
    from rmqops.operations import inventories
    from rmqops.operations.topics import consumer_group_status
    from rmqops.remoting.client import Client

    topology = inventories.load(inventory).topology

    async def describe() -> consumer_group_status.ConsumerGroupStatus:
        async with Client() as client:
            return await consumer_group_status.describe(topology, client, group)

    found = event_loop.run(describe())
    if json:
        output.result_json(found.json())
    else:
        _show(found)


def _show(found: ConsumerGroupStatus) -> None:
    subscribed = ", ".join(f"{topic} ({expression})" for topic, expression in sorted(found.subscriptions.items()))
    output.table(
        f"{found.name}: {found.kind or 'nobody connected'} {found.model}",
        ["member", "address", "language", "queues"],
        [
            [member.client_id, member.address, member.language, str(found.queues_of(member.client_id))]
            for member in found.members
        ],
    )
    if subscribed:
        output.result(f"subscribed to {subscribed}")
    output.table(
        f"{found.lag:,} messages left",
        ["topic", "group", "queue", "end", "consumed", "lag", "member"],
        [
            [
                each.queue.topic,
                each.queue.broker,
                str(each.queue.number),
                f"{each.end:,}",
                f"{each.consumed:,}",
                f"{each.lag:,}",
                ", ".join(found.holders.get(each.queue, ())),
            ]
            for each in found.progress
        ],
    )
    for problem in found.problems:
        output.note(f"problem: {problem}")

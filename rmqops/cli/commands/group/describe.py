"""``rmqops group describe``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import output, question
from rmqops.cli.options import Inventory, Json

if TYPE_CHECKING:
    from rmqops.operations.topics.consumer_group_status import ConsumerGroupStatus


def command(
    group: Annotated[str, typer.Argument(help="The consumer group.")], inventory: Inventory, json: Json = False
) -> None:
    """Show a consumer group: its members, how far it is behind in each queue, and which member has which queue."""
    from rmqops.operations.topics import consumer_group_status

    question.answer(
        inventory,
        lambda topology, client: consumer_group_status.describe(topology, client, group),
        lambda _, status: _show(status),
        json=json,
    )


def _show(status: ConsumerGroupStatus) -> None:
    subscribed = ", ".join(f"{topic} ({expression})" for topic, expression in sorted(status.subscriptions.items()))
    output.table(
        f"{status.name}: {status.kind or 'nobody connected'} {status.model}",
        ["member", "address", "language", "queues"],
        [
            [member.client_id, member.address, member.language, str(status.queues_of(member.client_id))]
            for member in status.members
        ],
    )
    if subscribed:
        output.result(f"subscribed to {subscribed}")
    output.table(
        f"{status.lag:,} messages left",
        ["topic", "group", "queue", "end", "consumed", "lag", "member"],
        [
            [
                each.queue.topic,
                each.queue.broker,
                str(each.queue.number),
                f"{each.end:,}",
                f"{each.consumed:,}",
                f"{each.lag:,}",
                ", ".join(status.holders.get(each.queue, ())),
            ]
            for each in status.progress
        ],
    )
    for problem in status.problems:
        output.note(f"problem: {problem}")

"""``rmqops group describe``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json

if TYPE_CHECKING:
    from rmqops.operations.groups import GroupStatus


def command(
    group: Annotated[str, typer.Argument(help="The consumer group.")], inventory: Inventory, json: Json = False
) -> None:
    """Show a consumer group: its members, how far it is behind in each queue, and which member has which queue."""
    from rmqops.operations import groups, inventories
    from rmqops.remoting.client import Client

    topology = inventories.load(inventory).topology

    async def describe() -> groups.GroupStatus:
        async with Client() as client:
            return await groups.describe(topology, client, group)

    found = asyncio.run(describe())
    if json:
        output.result_json(found.json())
    else:
        _show(found)


def _show(found: GroupStatus) -> None:
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

"""``rmqops topic create``."""

from __future__ import annotations

from typing import Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json, Topic


def command(
    topic: Topic,
    inventory: Inventory,
    group: Annotated[
        list[str] | None, typer.Option("--group", "-g", help="A broker group; may be repeated. All unless given.")
    ] = None,
    queues: Annotated[int, typer.Option("--queues", min=1, max=1024, help="Queues on each group.")] = 8,
    read_queues: Annotated[
        int | None,
        typer.Option(
            "--read-queues", min=1, max=1024, help="Queues to read from; as many as --queues unless given."
        ),
    ] = None,
    permission: Annotated[str, typer.Option("--permission", metavar="rw|r|w", help="What clients may do.")] = "rw",
    json: Json = False,
) -> None:
    """Create a topic on each group, or change it, and wait until every member and every NameServer knows it."""
    from rmqops.cli.topic_table import show
    from rmqops.errors import UsageError
    from rmqops.operations import inventories
    from rmqops.operations.topics import topic_status, topics
    from rmqops.remoting.client import Client
    from rmqops.remoting.codes import Permission
    from rmqops.system import event_loop

    known = {
        "rw": Permission.READ | Permission.WRITE,
        "r": Permission.READ,
        "w": Permission.WRITE,
    }
    if permission not in known:
        raise UsageError(f"--permission is {permission}", remedy=f"take one of {', '.join(known)}")
    topology = inventories.load(inventory).topology

    async def create() -> topic_status.TopicStatus:
        async with Client() as client:
            await topics.create(
                topology,
                client,
                topic,
                queues,
                groups=group or (),
                read_queues=read_queues,
                permission=known[permission],
            )
            return await topic_status.describe(topology, client, topic)

    made = event_loop.run(create())
    if json:
        output.result_json(made.json())
    else:
        show(made)

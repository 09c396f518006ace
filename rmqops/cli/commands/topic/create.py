"""``rmqops topic create``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import question
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json, Topic

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.operations.topics.topic_status import TopicStatus
    from rmqops.remoting.client import Client


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
    hide_unread: Annotated[
        bool, typer.Option("--hide-unread", help="Take fewer queues although the others hold unread messages.")
    ] = False,
    json: Json = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Create a topic on each group, or change it, and wait until every member and every NameServer knows it.

    Fewer queues than before are refused while the others hold messages that were not read (docs/topics.md), and
    anything while somebody else works on the cluster.
    """
    from rmqops.cli import topic_table
    from rmqops.errors import UsageError
    from rmqops.operations import inventories
    from rmqops.operations.topics import topic_status, topics, unread
    from rmqops.remoting.codes import Permission

    permissions = {
        "rw": Permission.READ | Permission.WRITE,
        "r": Permission.READ,
        "w": Permission.WRITE,
    }
    if permission not in permissions:
        raise UsageError(f"--permission is {permission}", remedy=f"take one of {', '.join(permissions)}")

    topology = inventories.load(inventory).topology
    config = topics.wanted(topology, topic, queues, read_queues=read_queues, permission=permissions[permission])
    groups = topics.choose(topology, group or ())

    async def create(topology: Topology, client: Client) -> TopicStatus:
        if not hide_unread:
            await unread.refuse_hiding(topology, client, config, groups)
        await topics.put(topology, client, [config], groups)
        return await topic_status.describe(topology, client, topic)

    with question.locked(
        topology, f"topic create {topic}", accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass
    ):
        question.print_answer(topology, create, lambda _, status: topic_table.show(status), json=json)

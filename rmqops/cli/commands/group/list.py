"""``rmqops group list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import output, question
from rmqops.cli.options import Inventory, Json

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.operations.topics.consumer_group_status import ConsumerGroupList


def command(
    inventory: Inventory,
    everything: Annotated[bool, typer.Option("--all", help="Groups of the system as well.")] = False,
    json: Json = False,
) -> None:
    """List the consumer groups that brokers know: members connected, topics consumed, messages left."""
    from rmqops.operations.topics import consumer_group_status

    def show(topology: Topology, listed: ConsumerGroupList) -> None:
        output.table(
            f"consumer groups of {topology.cluster}",
            ["group", "members", "lag", "topics"],
            [
                [group.name, str(group.members), f"{group.lag:,}", ", ".join(group.topics)]
                for group in listed.groups
                if everything or not group.system
            ],
        )
        for problem in listed.problems:
            output.note(f"problem: {problem}")

    question.answer(inventory, consumer_group_status.list_groups, show, json=json)

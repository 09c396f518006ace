"""``rmqops topic list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import output, question
from rmqops.cli.options import Inventory, Json

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.operations.topics.topic_status import TopicList


def command(
    inventory: Inventory,
    everything: Annotated[
        bool, typer.Option("--all", help="Topics of the system, and of what consumer groups gave back, as well.")
    ] = False,
    json: Json = False,
) -> None:
    """List the topics that the NameServers know, and where they differ; every one of them is asked."""
    from rmqops.operations.topics import topic_status

    def show(_topology: Topology, topics: TopicList) -> None:
        for name in topics.names + (topics.system if everything else ()):
            output.result(name)
        for difference in topics.differences:
            output.note(f"difference: {difference}")

    question.answer(inventory, topic_status.list_topics, show, json=json)

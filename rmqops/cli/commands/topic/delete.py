"""``rmqops topic delete``."""

from __future__ import annotations

from rmqops.cli import output, question
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json, Topic, Yes


def command(
    topic: Topic,
    inventory: Inventory,
    yes: Yes = False,
    json: Json = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Delete a topic and ALL ITS MESSAGES on every broker, then on every NameServer, until nobody has it.

    Asks for the topic's name unless --yes; refuses topics of the system, and while somebody else works on the
    cluster.
    """
    from rmqops.errors import OperationFailed, Unsafe
    from rmqops.operations import inventories
    from rmqops.operations.topics import topics
    from rmqops.remoting.client import Client
    from rmqops.remoting.messages import check_topic
    from rmqops.system import event_loop

    topology = inventories.load(inventory).topology
    topics.refuse_system(check_topic(topic), topology)
    if not yes:
        words = f"This deletes {topic} and ALL ITS MESSAGES in {topology.cluster}. Type the topic's name to go on:"
        if output.ask(words) != topic:
            raise Unsafe("nothing was deleted: the topic's name was not typed in", remedy="type it, or give --yes")

    async def delete() -> tuple[str, ...]:
        async with Client() as client:
            return await topics.delete(topology, client, topic)

    with question.locked(
        topology, f"topic delete {topic}", accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass
    ):
        had = event_loop.run(delete())
    if not had:
        raise OperationFailed(f"nobody has the topic {topic}", remedy="rmqops topic list shows what there is")
    if json:
        output.result_json({"topic": topic, "deleted_on": list(had)})
    else:
        output.result(f"deleted on {', '.join(had)}")

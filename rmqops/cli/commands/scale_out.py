"""``rmqops scale-out``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import deploying, output
from rmqops.cli.changes import changing
from rmqops.cli.deploying import FORKS
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Forks, Inventory, Json, Yes
from rmqops.errors import Unsafe

if TYPE_CHECKING:
    from rmqops.model.topology import Group, Topology
    from rmqops.operations.change.scale_out import TopicSpread
    from rmqops.system import event_loop


def command(
    group: Annotated[list[str], typer.Argument(help="Broker groups of the inventory that are new.")],
    inventory: Inventory,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic", "-t", help="Spread only this one; may be repeated. Those of all groups unless given."
        ),
    ] = None,
    yes: Yes = False,
    forks: Forks = FORKS,
    json: Json = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Add broker groups to a running cluster: deploy them, then spread its topics and consumer groups to them.

    Write them into the inventory first. Nothing is done to the instances that are there. Clients use the new
    queues from their next look at the route on. A message's key may lead to another queue then.
    """
    from rmqops.operations.change import deploy
    from rmqops.operations.topics import topics

    topology, artifact = deploying.ready(
        inventory, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass
    )
    new = topics.choose(topology, group)
    with changing("scale-out", topology) as (shown, entry):
        spread = event_loop.run(_prepare(topology, new, topic or []))
        todo = deploy.prepare(topology, topology.select(group), artifact)
        entry.plan = [
            *(f"{change.instance.name}: {deploying.words(change)}" for change in todo.needed),
            *(f"{name} gets {_many(found)}" for name, found in _lines(spread).items() if found),
        ]
        if entry.plan:
            deploying.show("scale-out", topology, todo)
            for line in entry.plan[len(todo.needed) :]:
                output.note(line)
            for name, there in spread.left.items():
                output.note(f"{name} stays on {', '.join(there)}; --topic {name} spreads it")
            if not yes and not output.confirm("Go on?"):
                raise Unsafe("not confirmed; nothing was touched", remedy="answer y, or give --yes")
        log = Path(entry.log)
        done = deploy.execute(topology, todo, artifact, log=log, listener=shown.listen, say=shown.say, forks=forks)
        shown.say("spreading topics and consumer groups")
        event_loop.run(_fill(topology, new, spread))
    if json:
        output.result_json(
            {
                "cluster": topology.cluster,
                "changed": list(done.changed),
                "topics": {name: [one.topic for one in found] for name, found in spread.topics.items()},
                "consumer_groups": {name: sorted(found) for name, found in spread.consumers.items()},
                "left": {name: list(there) for name, there in spread.left.items()},
                "status": done.status.json(),
            }
        )
    else:
        names = ", ".join(one.name for one in new)
        output.result(f"{names} healthy; topics spread: {', '.join(spread.names) or 'none was missing'}")


def _lines(spread: TopicSpread) -> dict[str, list[str]]:
    """Return what each new group gets."""
    return {
        name: [
            *(f"topic {one.topic} ({one.write_queues} queues)" for one in found),
            *(f"consumer group {one}" for one in sorted(spread.consumers[name])),
        ]
        for name, found in spread.topics.items()
    }


def _many(texts: list[str], most: int = 20) -> str:
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return ", ".join(texts[:most] + more)


async def _prepare(topology: Topology, new: tuple[Group, ...], wanted: list[str]) -> TopicSpread:
    from rmqops.operations.change import scale_out
    from rmqops.remoting.client import Client

    async with Client() as client:
        return await scale_out.prepare(topology, client, new, wanted)


async def _fill(topology: Topology, new: tuple[Group, ...], spread: TopicSpread) -> None:
    from rmqops.operations.change import scale_out
    from rmqops.remoting.client import Client

    async with Client() as client:
        await scale_out.fill(topology, client, new, spread)

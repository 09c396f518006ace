"""``rmqops scale-out``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import fleet_change, output, plan_table, target
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Forks, Inventory, Json, Yes
from rmqops.cli.target import FORKS

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.operations.change.scale_out import ScaleOutPlan

_ITEMS_SHOWN = 20
"""Topics and consumer groups of one new group."""


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
    from rmqops.operations.change.fleet import Fleet
    from rmqops.operations.change.scale_out import ScaleOut
    from rmqops.operations.topics import topics

    topology, artifact = target.with_release(
        inventory, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass
    )
    new = topics.choose(topology, group)
    verb = ScaleOut(Fleet(topology), new, tuple(topic or ()), artifact, forks)
    completed = fleet_change.perform(verb, lambda plan: _show(topology, plan), None if yes else fleet_change.go_on)
    spread = completed.plan.spread
    if json:
        output.result_json(
            {
                "cluster": topology.cluster,
                "changed": [change.instance.name for change in completed.plan.deployment.pending],
                "topics": {name: [config.topic for config in configs] for name, configs in spread.topics.items()},
                "consumer_groups": {name: sorted(consumers) for name, consumers in spread.consumers.items()},
                "left": {name: list(groups) for name, groups in spread.left.items()},
                "status": completed.status.json() if completed.status else None,
            }
        )
    else:
        names = ", ".join(each.name for each in new)
        output.result(f"{names} healthy; topics spread: {', '.join(spread.names) or 'none was missing'}")


def _show(topology: Topology, plan: ScaleOutPlan) -> None:
    plan_table.show("scale-out", topology, plan.deployment)
    for name, items in plan.spread.items().items():
        rest = [f"and {len(items) - _ITEMS_SHOWN} more"] if len(items) > _ITEMS_SHOWN else []
        output.note(f"{name} gets {', '.join(items[:_ITEMS_SHOWN] + rest)}")
    for name, groups in plan.spread.left.items():
        output.note(f"{name} stays on {', '.join(groups)}; --topic {name} spreads it")

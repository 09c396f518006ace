"""``rmqops deploy``."""

from __future__ import annotations

from rmqops.cli import fleet_change, output, plan_table, target
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Forks, Inventory, Json, Limit, Yes
from rmqops.cli.target import FORKS


def command(
    inventory: Inventory,
    yes: Yes = False,
    limit: Limit = None,
    forks: Forks = FORKS,
    json: Json = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Bring a cluster to what its inventory says: install, start, restart what changed, and wait for health.

    Deploying again changes nothing and says so; a dead instance is started again.
    """
    from rmqops.operations.change.deploy import Deploy
    from rmqops.operations.change.fleet import Fleet

    topology, artifact = target.with_release(
        inventory, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass
    )
    verb = Deploy(Fleet(topology), topology.select(limit or []), artifact, forks)
    completed = fleet_change.perform(
        verb,
        lambda plan: plan_table.show("deploy", topology, plan),
        None if yes else fleet_change.go_on,
    )
    changed = [change.instance.name for change in completed.plan.pending]
    if json:
        status = completed.status.json() if completed.status else None
        output.result_json({"cluster": topology.cluster, "changed": changed, "status": status})
    elif changed:
        output.result(f"{topology.cluster} is healthy; changed: {', '.join(changed)}")
    else:
        output.result(f"{topology.cluster} is healthy; nothing to change")

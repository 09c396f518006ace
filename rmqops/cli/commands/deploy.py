"""``rmqops deploy``."""

from __future__ import annotations

from pathlib import Path

from rmqops.cli import deploying, output
from rmqops.cli.changes import changing
from rmqops.cli.deploying import FORKS
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Forks, Inventory, Json, Limit, Yes
from rmqops.errors import Unsafe


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
    from rmqops.operations.change import deploy

    topology, artifact = deploying.ready(
        inventory, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass
    )
    with changing("deploy", topology) as (shown, entry):
        todo = deploy.prepare(topology, topology.select(limit or []), artifact)
        entry.plan = [f"{change.instance.name}: {deploying.words(change)}" for change in todo.needed]
        if todo.needed:
            deploying.show("deploy", topology, todo)
            if not yes and not output.confirm("Go on?"):
                raise Unsafe("not confirmed; nothing was touched", remedy="answer y, or give --yes")
        log = Path(entry.log)
        done = deploy.execute(topology, todo, artifact, log=log, listener=shown.listen, say=shown.say, forks=forks)
    if json:
        output.result_json(
            {"cluster": topology.cluster, "changed": list(done.changed), "status": done.status.json()}
        )
    elif done.changed:
        output.result(f"{topology.cluster} is healthy; changed: {', '.join(done.changed)}")
    else:
        output.result(f"{topology.cluster} is healthy; nothing to change")

"""``rmqops deploy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import hosts, output
from rmqops.cli.changes import changing
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json, Limit, Yes
from rmqops.errors import Unsafe

if TYPE_CHECKING:
    from rmqops.operations.plan import Change

FORKS = 10


def command(
    inventory: Inventory,
    yes: Yes = False,
    limit: Limit = None,
    forks: Annotated[int, typer.Option(min=1, help="Hosts that are worked on at once.")] = FORKS,
    json: Json = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Bring a cluster to what its inventory says: install, start, restart what changed, and wait for health.

    Deploying again changes nothing and says so; a dead instance is started again.
    """
    from rmqops.cli import progress
    from rmqops.operations import deploy, inventories, lifecycle
    from rmqops.source.build import BuildOptions, ensure_artifact

    loaded = inventories.load(inventory)
    for warning in loaded.warnings:
        output.note(f"warning: {warning}")
    topology = loaded.topology
    deploy.refuse_sample(loaded)
    hosts.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    options = BuildOptions(runtime=any(item.bundles_java for item in topology.instances))
    with progress.shown() as report:
        artifact = ensure_artifact(topology.version, options=options, progress=report)
    with changing("deploy", topology) as (shown, entry):
        todo = deploy.prepare(topology, lifecycle.chosen(topology, limit or []), artifact)
        entry.plan = [f"{change.instance.name}: {_done(change)}" for change in todo.needed]
        if todo.needed:
            output.table(
                f"deploy of {topology.cluster}, RocketMQ {topology.version}",
                ["instance", "on", "address", "directory", "data", "what is done"],
                [_row(change) for change in todo.changes],
                stderr=True,
            )
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


def _row(change: Change) -> list[str]:
    item = change.instance
    return [
        item.name,
        item.host,
        ", ".join([item.address, *(str(port) for _, port in _other_ports(change))]),
        item.home,
        item.text("rocketmq_data_dir") if item.kind == "broker" else "",
        _done(change),
    ]


def _other_ports(change: Change) -> list[tuple[str, int]]:
    from rmqops.operations.plan import ports

    return list(ports(change.instance))[1:]


def _done(change: Change) -> str:
    parts: list[str] = [] if change.action == "none" else [change.action]
    if change.files and change.action != "create":
        parts.append(f"files {', '.join(change.files)}")
    parts += [f"brings {name}" for name in change.carried]
    return "; ".join(parts) or "nothing"

"""``rmqops deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmqops.cli import hosts, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json, Yes
from rmqops.errors import Unsafe

if TYPE_CHECKING:
    from rmqops.operations.plan import Change


def command(
    inventory: Inventory,
    yes: Yes = False,
    json: Json = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> None:
    """Bring a cluster to what its inventory says: install, start, restart what changed, and wait for health.

    Deploying again changes nothing and says so; a dead instance is started again.
    """
    from rmqops.cli import progress
    from rmqops.cli.steps import steps
    from rmqops.operations import deploy, inventories, logbook
    from rmqops.source.build import BuildOptions, ensure_artifact

    loaded = inventories.load(inventory)
    for warning in loaded.warnings:
        output.note(f"warning: {warning}")
    topology = loaded.topology
    deploy.refuse_sample(loaded)
    hosts.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    options = BuildOptions(runtime=any(deploy.bundles_java(item) for item in topology.instances))
    with progress.shown() as report:
        artifact = ensure_artifact(topology.version, options=options, progress=report)
    todo = deploy.prepare(topology, artifact)
    if todo.needed:
        output.table(
            f"deploy of {topology.cluster}, RocketMQ {topology.version}",
            ["instance", "on", "address", "directory", "data", "what is done"],
            [_row(change) for change in todo.changes],
            stderr=True,
        )
        if not yes and not output.confirm("Go on?"):
            raise Unsafe("not confirmed; nothing was touched", remedy="answer y, or give --yes")
    with steps() as shown:
        log = logbook.new_log("deploy", topology.cluster)
        done = deploy.execute(topology, todo, artifact, log=log, listener=shown.listen, say=shown.say)
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
    if change.release:
        parts.append(f"release {change.release}")
    return "; ".join(parts) or "nothing"

"""What the commands share that bring instances to what an inventory says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmqops.cli import host_access, output

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.operations.plan.plan import InstanceChange, Plan
    from rmqops.source.artifacts import Artifact

FORKS = 10


def ready(inventory: str, *, accept_new: bool, ask_become_pass: bool) -> tuple[Topology, Artifact]:
    """Load an inventory, make its hosts ready to be talked to, and build what they are to run.

    Raises:
        InventoryError: it is wrong.
        Unsafe: it is a sample that was not filled in.
        PreflightFailed: a host's key is not known, or a tool is missing.
        SourceError: the build failed.
    """
    from rmqops.cli import build_display
    from rmqops.operations import inventories
    from rmqops.operations.change import deploy
    from rmqops.source.build import BuildOptions, ensure_artifact

    loaded = inventories.load(inventory)
    for warning in loaded.warnings:
        output.note(f"warning: {warning}")
    topology = loaded.topology
    deploy.refuse_sample(loaded)
    host_access.prepare(topology, accept_new=accept_new, ask_become_pass=ask_become_pass)
    options = BuildOptions(runtime=any(item.bundles_java for item in topology.instances))
    with build_display.shown() as report:
        return topology, ensure_artifact(topology.version, options=options, progress=report)


def words(change: InstanceChange) -> str:
    """Say what is done to an instance."""
    parts: list[str] = [] if change.action == "none" else [change.action]
    if change.files and change.action != "create":
        parts.append(f"files {', '.join(change.files)}")
    parts += [f"brings {name}" for name in change.carried]
    return "; ".join(parts) or "nothing"


def show(verb: str, topology: Topology, todo: Plan) -> None:
    """Show what is done to each instance, on standard error."""
    output.table(
        f"{verb} of {topology.cluster}, RocketMQ {topology.version}",
        ["instance", "on", "address", "directory", "data", "what is done"],
        [_row(change) for change in todo.changes],
        stderr=True,
    )


def _row(change: InstanceChange) -> list[str]:
    from rmqops.operations.plan.plan import ports

    item = change.instance
    return [
        item.name,
        item.host,
        ", ".join([item.address, *(str(port) for _, port in list(ports(item))[1:])]),
        item.home,
        item.text("rocketmq_data_dir") if item.kind == "broker" else "",
        words(change),
    ]

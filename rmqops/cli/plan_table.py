"""The plan of a deploy as a table: role, host, ports, directories, and what is done there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmqops.cli import output

if TYPE_CHECKING:
    from rmqops.model.topology import Topology
    from rmqops.operations.plan.plan import InstanceChange, Plan


def show(verb: str, topology: Topology, plan: Plan) -> None:
    """Show what is done to each instance, on standard error."""
    output.table(
        f"{verb} of {topology.cluster}, RocketMQ {topology.version}",
        ["instance", "on", "address", "directory", "data", "what is done"],
        [_row(change) for change in plan.changes],
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
        str(change),
    ]

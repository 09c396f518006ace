"""``rmqops plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json, Limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rmqops.operations.plan.plan import Plan


def command(
    inventory: Inventory,
    limit: Limit = None,
    json: Json = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="Exit with 1 when a deploy would change something, as git diff does."),
    ] = False,
) -> int:
    """Show what a deploy would change, touching nothing: files as diffs, restarts in their order, and drift.

    A restart is one instance at a time, followers before their master, healthy between one and the next.
    """
    from rmqops.operations import inventories
    from rmqops.operations.observe import settings_in_force
    from rmqops.operations.plan import differences, drift, plan
    from rmqops.source.cache import find_artifact

    topology = inventories.load(inventory).topology
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    artifact = find_artifact(topology.version)
    runtime = artifact.runtime if artifact else None
    found = plan.plan(
        topology,
        topology.select(limit or []),
        artifact.name if artifact else None,
        runtime.name if runtime else None,
    )
    diffs = differences.differences(found.changes)
    live = settings_in_force.settings_in_force(topology)
    drifts = {
        change.instance.name: [
            *change.drift,
            *drift.role(change.instance, change.found),
            *drift.in_force(change.instance, change.found, live.get(change.instance.name, {})),
        ]
        for change in found.changes
    }
    if json:
        output.result_json(_json(topology.cluster, found, diffs, drifts))
    else:
        _show(found, diffs, drifts)
    return int(exit_code and bool(found.needed))


def _show(found: Plan, diffs: Mapping[str, str], drifts: Mapping[str, Sequence[str]]) -> None:
    for change in found.needed:
        parts = [
            "files" if change.action == "none" else change.action,
            *(f"brings {name}" for name in change.carried),
        ]
        output.result(f"{change.instance.name}: {', '.join(parts)}")
        if change.action == "create":
            output.result(f"    {len(change.files)} files below {change.instance.home}")
        elif change.instance.name in diffs:
            output.result(
                "".join(f"    {line}\n" for line in diffs[change.instance.name].splitlines()).rstrip("\n")
            )
    for name, texts in drifts.items():
        for text in texts:
            output.result(f"drift: {name}: {text}")
    restarts = [instance.name for instance in found.of("restart")]
    if restarts:
        output.result(f"restarts, one at a time, a group's master last: {', '.join(restarts)}")
    count = len(found.needed)
    output.result(f"{count} of {len(found.changes)} instances would change" if count else "nothing to change")


def _json(
    cluster: str, found: Plan, diffs: Mapping[str, str], drifts: Mapping[str, Sequence[str]]
) -> dict[str, object]:
    return {
        "cluster": cluster,
        "changes": [
            {
                "instance": change.instance.name,
                "action": change.action,
                "files": list(change.files),
                "carried": list(change.carried),
                "drift": list(drifts[change.instance.name]),
                "diff": diffs.get(change.instance.name, ""),
            }
            for change in found.changes
        ],
        "restarts": [instance.name for instance in found.of("restart")],
    }

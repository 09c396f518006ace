"""``rmqops plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import host_access, output, target
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

    A restart is one instance at a time, followers before their master, healthy between one and the next. What a
    deploy would refuse is refused here as well; faults of drills, for which it would be, are told.
    """
    from rmqops.operations.change import deploy
    from rmqops.operations.change.fleet import Fleet
    from rmqops.operations.hosts import armed_heals
    from rmqops.operations.observe import settings_in_force
    from rmqops.operations.plan import differences, drift
    from rmqops.source.cache import find_artifact

    topology = target.filled_in(inventory)
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    artifact = find_artifact(topology.version, topology.patches)
    plan = deploy.prepare(Fleet(topology), topology.select(limit or []), artifact)
    diffs = differences.differences(plan.changes)
    status, settings = settings_in_force.status_and_settings(topology)
    drifts = {
        change.instance.name: drift.everything(
            change.instance, change.facts, settings.get(change.instance.name, {}), change.fingerprints
        )
        for change in plan.changes
    }
    left = armed_heals.problems(topology, {change.instance.name: change.facts for change in plan.changes})
    problems = [text for _, text in left]
    if json:
        document = _json(topology.cluster, plan, diffs, drifts)
        output.result_json({**document, "unlisted": list(status.unlisted), "problems": problems})
    else:
        _show(plan, diffs, drifts)
        for text in status.unlisted:
            output.result(f"left as it is: {text}")
        for text in problems:
            output.result(f"problem: {text}")
    return int(exit_code and bool(plan.pending))


def _show(plan: Plan, diffs: Mapping[str, str], drifts: Mapping[str, Sequence[str]]) -> None:
    for change in plan.pending:
        parts = [
            change.action if change.action != "none" else "files" if change.files else "directories",
            *(f"brings {name}" for name in change.missing_archives),
        ]
        output.result(f"{change.instance.name}: {', '.join(parts)}")
        if change.action == "create":
            output.result(f"    {len(change.files)} files below {change.instance.home}")
        elif change.instance.name in diffs:
            output.result(*(f"    {line}" for line in diffs[change.instance.name].split("\n") if line))
        for text in change.directories:
            output.result(f"    mends: {text}")
    for name, texts in drifts.items():
        for text in texts:
            output.result(f"drift: {name}: {text}")
    restarts = [instance.name for instance in plan.instances_to("restart")]
    if restarts:
        output.result(f"restarts, one at a time, a group's master last: {', '.join(restarts)}")
    count = len(plan.pending)
    output.result(f"{count} of {len(plan.changes)} instances would change" if count else "nothing to change")


def _json(
    cluster: str, plan: Plan, diffs: Mapping[str, str], drifts: Mapping[str, Sequence[str]]
) -> dict[str, object]:
    return {
        "cluster": cluster,
        "changes": [
            {
                "instance": change.instance.name,
                "action": change.action,
                "files": list(change.files),
                "directories": list(change.directories),
                "carried": list(change.missing_archives),
                "drift": list(drifts[change.instance.name]),
                "diff": diffs.get(change.instance.name, ""),
            }
            for change in plan.changes
        ],
        "restarts": [instance.name for instance in plan.instances_to("restart")],
    }

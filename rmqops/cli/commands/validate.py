"""``rmqops validate``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json
from rmqops.errors import InventoryError

if TYPE_CHECKING:
    from rmqops.errors import Problem
    from rmqops.model.topology import Topology


def command(inventory: Inventory, json: Json = False) -> None:
    """Hold an inventory to every rule and say everything that is wrong, touching nothing.

    Each problem comes with file and line, host, key, the value found and the remedy. Exit code 3 when there is an
    error; warnings, and the addresses that a sample leaves to be filled in, are none.
    """
    from rmqops.operations import inventories

    try:
        loaded = inventories.load(inventory)
    except InventoryError as error:
        if json:
            output.result_json(_json(inventory, None, error.problems))
        else:
            _print(error.problems)
        output.note(f"error: {error.message}")
        raise typer.Exit(error.exit_code) from error
    problems = loaded.warnings + loaded.placeholders
    if json:
        output.result_json(_json(loaded.topology.sources, loaded.topology, problems))
    else:
        _print(problems)
        output.result(_summary(loaded.topology))


def _print(problems: Sequence[Problem]) -> None:
    """Print problems, those of one kind together: what is wrong, each place with what was found, the remedy."""
    kinds: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.severity, problem.message, problem.remedy), []).append(problem)
    for (severity, message, remedy), places in kinds.items():
        output.result(f"{severity}: {message}")
        for problem in places:
            found = f"found {problem.found}" if problem.found else None
            output.result("    " + "  ".join(filter(None, (problem.file, problem.host, problem.key, found))))
        output.result(f"  → {remedy}")


def _summary(topology: Topology) -> str:
    groups = ", ".join(f"{group.name} ({group.mode}, {len(group.members)})" for group in topology.groups)
    servers = len(topology.nameservers)
    return (
        f"ok: cluster {topology.cluster}, RocketMQ {topology.version}, {len(topology.instances)} instances: "
        f"{servers} NameServer{'s' if servers > 1 else ''}, groups {groups}"
    )


def _json(inventory: Sequence[str], topology: Topology | None, problems: Sequence[Problem]) -> dict[str, object]:
    from dataclasses import asdict

    named = inventory[0] if len(inventory) == 1 else list(inventory)
    document: dict[str, object] = {"inventory": named, "valid": topology is not None}
    if topology is not None:
        document["cluster"] = topology.cluster
        document["version"] = topology.version
        document["instances"] = [
            {"name": item.name, "kind": item.kind, "group": item.group, "host": item.host, "address": item.address}
            for item in topology.instances
        ]
    document["problems"] = [asdict(problem) for problem in problems]
    return document

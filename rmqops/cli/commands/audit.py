"""``rmqops audit``."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Json
from rmqops.errors import UsageError


def command(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Show one run whole, by its id.")] = None,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Only runs against this cluster.")] = None,
    count: Annotated[int, typer.Option("-n", min=1, help="How many runs, the newest first.")] = 20,
    json: Json = False,
) -> None:
    """Show what was done from this machine: who, when, command line, plan, outcome and log.

    A run that is `running` and has long ended was killed.
    """
    from rmqops.operations.change import audit

    entries = [entry for entry in audit.entries() if cluster in {None, entry.cluster} and run in {None, entry.id}]
    if run is not None:
        if not entries:
            raise UsageError(f"there is no run {run}", remedy="rmqops audit lists them")
        output.result_json(asdict(entries[0])) if json else _whole(asdict(entries[0]))
    elif json:
        output.result_json([asdict(entry) for entry in entries[:count]])
    else:
        rows = [
            [entry.id, entry.who, entry.cluster, shlex.join(entry.argv), entry.outcome]
            for entry in entries[:count]
        ]
        output.table("", ["run", "who", "cluster", "command", "outcome"], rows)


def _whole(entry: dict[str, object]) -> None:
    for key, value in entry.items():
        if isinstance(value, list):
            lines = [shlex.join(map(str, value))] if key == "argv" else [str(item) for item in value]
        else:
            lines = str(value).splitlines()
        output.result(*(f"{'' if number else key:<10} {line}" for number, line in enumerate(lines or [""])))

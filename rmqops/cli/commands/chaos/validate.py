"""``rmqops chaos validate``."""

from __future__ import annotations

from typing import Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Json


def command(
    drills: Annotated[list[str] | None, typer.Argument(metavar="[DRILL]...", help="Files, or names.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of a drill's file, for editors.")
    ] = False,
    json: Json = False,
) -> int:
    """Read drills as chaos run would, and say what is wrong with each. Exits with 3 when one is wrong."""
    from rmqops.chaos import drill
    from rmqops.errors import InventoryError, UsageError

    if schema:
        output.result_json(drill.schema())
        return 0
    if not drills:
        raise UsageError("there is nothing to validate", remedy="name one or more drills, or give --schema")
    wrong = {}
    for name in drills:
        try:
            drill.find(name)
        except UsageError as error:
            wrong[name] = "\n".join(filter(None, (error.message, error.detail)))
    if json:
        output.result_json({name: {"valid": name not in wrong, "problems": wrong.get(name)} for name in drills})
    else:
        for name in drills:
            output.result(*f"{name}: {wrong.get(name, 'valid')}".split("\n"))
    return InventoryError.exit_code if wrong else 0

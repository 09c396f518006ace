"""``rmqops chaos show``."""

from __future__ import annotations

from typing import Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Json


def command(
    drill: Annotated[str, typer.Argument(metavar="DRILL", help="A drill of rmqops chaos list, or a .yml file.")],
    seed: Annotated[int | None, typer.Option(help="Show the order and the pauses that this seed gives.")] = None,
    json: Json = False,
) -> None:
    """Show a drill: its YAML, from which a drill of your own may begin, or its schedule."""
    from rmqops.chaos import drill as drills

    chosen = drills.find(drill)
    steps = () if seed is None else drills.scheduled(chosen, seed)
    if json:
        schedule = [
            {"phase": step.number, "pause": step.pause, "strikes": [one.words for one in step.phase.strikes]}
            for step in steps
        ]
        output.result_json({"drill": chosen.document(), "schedule": None if seed is None else schedule})
    elif seed is None:
        output.result(*drills.text(drill)[0].rstrip().split("\n"))
    else:
        rows = [
            (
                str(step.number),
                f"{step.pause:g} s",
                "\n".join(strike.words for strike in step.phase.strikes),
                step.phase.expects,
            )
            for step in steps
        ]
        output.table(f"{chosen.name}, seed {seed}", ["phase", "pause before", "strikes", "expects"], rows)

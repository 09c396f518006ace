"""Options that several commands share, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

Inventory = Annotated[
    str,
    typer.Option(
        "--inventory", "-i", help="The cluster: a name in ./inventory or of those that rmqops ships, or a path."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, alone on standard output.")]
Topic = Annotated[str, typer.Argument(help="The topic.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Instances = Annotated[
    list[str] | None, typer.Argument(help="Instances or groups; the whole cluster when none is named.")
]

"""``rmqops lab down``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Json, LabName


def command(
    name: LabName = "lab",
    image: Annotated[
        bool, typer.Option("--image", help="Remove the image, too; the next lab up makes it again.")
    ] = False,
    json: Json = False,
) -> None:
    """Remove a lab: hosts, network, keys and the inventory, unless that was edited. Works after a crash, too."""
    from rmqops.cli.step_display import steps
    from rmqops.lab.down import down

    with steps() as shown:
        gone = down(name, Path.cwd(), shown.say, image=image)
    if json:
        output.result_json(
            {
                "name": name,
                "hosts": list(gone.hosts),
                "network": gone.network,
                "inventories": [str(path) for path in gone.inventories],
                "kept": [str(path) for path in gone.kept],
                "images": list(gone.images),
            }
        )
        return
    for path in gone.kept:
        output.note(f"{path} is not as lab up wrote it, and is kept")
    if gone.anything:
        parts = [
            f"{len(gone.hosts)} hosts",
            *([f"network {gone.network} ({gone.subnet})"] if gone.network else []),
        ]
        parts += [str(path) for path in gone.inventories] + [f"image {each}" for each in gone.images]
        output.result(f"lab {name} is down; removed {', '.join(parts)}")
    else:
        output.result(f"there is no lab {name}; nothing to remove")

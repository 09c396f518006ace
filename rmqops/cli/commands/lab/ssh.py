"""``rmqops lab ssh``."""

from __future__ import annotations

import subprocess
from typing import Annotated

import typer

from rmqops.cli.options import LabName


def command(
    host: Annotated[
        str, typer.Argument(metavar="H", help="A host by its name or number, or by an instance on it.")
    ],
    argv: Annotated[
        list[str] | None, typer.Argument(metavar="[-- CMD...]", help="A command; a shell when there is none.")
    ] = None,
    name: LabName = "lab",
) -> int:
    """Log in to a host of a lab, or run a command there; the exit code is that of ssh."""
    from rmqops.lab import hosts

    lab = hosts.attach(name)
    return subprocess.run([*lab.access.ssh(lab.find(host)), *(argv or [])], check=False).returncode

"""``rmqops lab up``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rmqops.cli import output
from rmqops.cli.options import Json, LabName
from rmqops.model.releases import DEFAULT_VERSION

if TYPE_CHECKING:
    from rmqops.lab.up import UpResult


def command(
    hosts: Annotated[int, typer.Option("--hosts", metavar="N", help="How many hosts.")] = 6,
    name: LabName = "lab",
    version: Annotated[
        str, typer.Option("--version", metavar="V", help="The release that the inventory names.")
    ] = DEFAULT_VERSION,
    mode: Annotated[
        Literal["dledger", "master-slave"] | None,
        typer.Option("--mode", help="Of the broker groups; dledger where the release has it."),
    ] = None,
    groups: Annotated[
        int | None, typer.Option("--groups", metavar="G", help="Broker groups; as many as the hosts bear.")
    ] = None,
    clients: Annotated[
        int, typer.Option("--clients", metavar="N", help="Hosts besides, without instances, in the group clients.")
    ] = 0,
    sudo_password: Annotated[
        bool, typer.Option("--sudo-password", help="Let sudo ask for a password, which is written to a file.")
    ] = False,
    kernel_settings: Annotated[
        bool,
        typer.Option(
            "--kernel-settings",
            help="Let hosts write kernel settings; vm.* ones are this machine's, and put back by lab down.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Bring up N hosts on this machine and write inventory/NAME for them; again, it adds what is missing.

    Three hosts carry a NameServer and a broker each. From six on, three are NameServers and the others broker
    groups of three (of two in mode master-slave); hosts left over are in the group clients.
    """
    from rmqops.cli.step_display import steps
    from rmqops.lab.layout import LabRequest
    from rmqops.lab.up import up
    from rmqops.model.releases import RELEASES

    if mode is None:
        mode = "master-slave" if version in RELEASES and "dledger" not in RELEASES[version].modes else "dledger"
    request = LabRequest(
        name=name,
        hosts=hosts,
        mode=mode,
        version=version,
        groups=groups,
        clients=clients,
        sudo_password=sudo_password,
        kernel_settings=kernel_settings,
    )
    started = time.monotonic()
    with steps() as shown:
        done = up(request, Path.cwd(), shown.say)
    seconds = round(time.monotonic() - started, 1)
    if json:
        output.result_json(_fields(done, seconds))
    else:
        output.result(*_lines(done, seconds))


def _fields(done: UpResult, seconds: float) -> dict[str, object]:
    return {
        "name": done.request.name,
        "subnet": done.subnet,
        "hosts": done.access.addresses,
        "created": list(done.created),
        "started": list(done.started),
        "changed": done.changed,
        "inventory": str(done.inventory),
        "inventory_state": done.inventory_state,
        "seconds": seconds,
    }


def _lines(done: UpResult, seconds: float) -> list[str]:
    name = done.request.name
    parts = []
    if done.created:
        parts.append(f"{len(done.created)} made")
    if done.started:
        parts.append(f"{len(done.started)} started")
    what = f"{', '.join(parts)} in {seconds} s" if parts else "nothing to do"
    lines = [f"lab {name} is up: {len(done.request.names)} hosts on {done.subnet}; {what}"]
    if done.inventory_state == "kept":
        lines.append(f"{done.inventory} was edited and is kept as it is; move it away to have it written again")
    else:
        lines.append(f"inventory {done.inventory}")
    return lines

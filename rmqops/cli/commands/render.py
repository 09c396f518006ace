"""``rmqops render``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json


def command(
    inventory: Inventory,
    host: Annotated[str | None, typer.Option("--host", help="One instance alone.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory to write; default rendered/CLUSTER.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", help="Print this one file, such as conf/broker.p; needs --host.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the files of every instance, for installing by hand.

    For each instance its configuration, JVM options, log configuration, scripts and systemd unit, and one page,
    INSTALL.md, that says in which order to install. They are the bytes that a deploy puts on the hosts.

    A directory that render wrote before is replaced whole; links, mounts and the current directory are kept.
    """
    from rmqops.errors import UsageError
    from rmqops.operations import inventories
    from rmqops.operations.plan import rendering

    topology = inventories.load(inventory).topology
    rendered = rendering.rendered(topology, host)
    if file is not None:
        if host is None:
            raise UsageError("--file prints a file of one instance", remedy="name it with --host")
        contents = {item.path: item.content for item in rendered[host]}
        if file not in contents:
            raise UsageError(f"{host} has no file {file}", remedy=f"it has {', '.join(contents)}")
        output.result_file(contents[file])
    elif json:
        output.result_json(
            {
                "cluster": topology.cluster,
                "instances": {
                    name: {item.path: item.content for item in files} for name, files in rendered.items()
                },
            }
        )
    else:
        directory = out or Path("rendered", topology.cluster)
        rendering.write(topology, rendered, directory)
        count = sum(len(files) for files in rendered.values())
        output.result(
            f"{count} files of {len(rendered)} instances in {directory}; start with {directory}/INSTALL.md"
        )

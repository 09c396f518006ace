"""``rmqops logs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Instances, Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rmqops.model.topology import Instance
    from rmqops.operations.hosts.logs import LogLine


def command(
    inventory: Inventory,
    instances: Instances = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines of each file.")] = 20,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file", metavar="NAME", help="A file of the log directory, such as store.log; may be repeated."
        ),
    ] = None,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
) -> int:
    """Print the last lines of instances' logs in the order of time, each with its instance and file.

    The logs are console.log and namesrv.log or broker.log unless others are named. With --follow all hosts are
    followed at once, also over a rotation; Ctrl-C ends that on the hosts too, and the exit code is 130.
    """
    from rmqops.operations import inventories
    from rmqops.operations.hosts import logs

    topology = inventories.load(inventory).topology
    selected = topology.select(instances or [])
    names = file or []
    width = max(len(f"{item.name} {name}") for item in selected for name in logs.files(item, names))
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    if follow:
        return _follow(selected, names, lines, width)
    log_lines, errors = logs.recent(selected, names, lines)
    for item in log_lines:
        _show(item, width)
    for error in errors:
        output.error(error)
    if not log_lines and not errors:
        output.note("no such log has a line yet")
    return 1 if errors else 0


def _follow(chosen: Sequence[Instance], names: Sequence[str], lines: int, width: int) -> int:
    """Show lines until Ctrl-C; when a host is lost the others go on."""
    from rmqops.operations.hosts import logs
    from rmqops.operations.hosts.streams import End, Streams

    jobs = logs.follow(chosen, names, lines)
    with Streams(jobs, forks=len(jobs)) as streams:
        for item in streams:
            if not isinstance(item, End):
                _show(logs.line(item.name, item.text), width)
            elif item.error is not None:
                output.error(item.error)
            else:
                output.note(f"{item.name}: tail ended with {item.code}")
    return 1


def _show(line: LogLine, width: int) -> None:
    where = f"{line.instance} {line.file}"
    output.result_line(f"{where:<{width}} | {line.text}")

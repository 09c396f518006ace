"""``rmqops exec``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json
from rmqops.cli.passthrough import PassthroughCommand
from rmqops.errors import UsageError

if TYPE_CHECKING:
    from rmqops.operations.hosts.streams import End

parser = PassthroughCommand
"""What reads its command line."""


def command(
    context: typer.Context,
    inventory: Inventory,
    instances: Annotated[
        list[str] | None,
        typer.Argument(help="Instances or groups; each machine of the cluster once when none is named."),
    ] = None,
    forks: Annotated[int, typer.Option(min=1, help="Hosts at a time.")] = 32,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds after which a command is ended on its host.")
    ] = None,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
    json: Json = False,
) -> int:
    """Run a command on the hosts in parallel: rmqops exec -i I [INSTANCE|GROUP]... -- COMMAND [ARGUMENT]...

    It runs as the user that the inventory says (ansible_become), without a shell: for a pipe, give sh -c '...'.
    For a named instance its environment holds RMQOPS_INSTANCE, RMQOPS_INSTANCE_DIR and RMQOPS_LOG_DIR. Exit code 1
    when it did not exit with 0 on every host; Ctrl-C ends it on all of them.
    """
    from rmqops.operations import inventories
    from rmqops.operations.change import audit
    from rmqops.operations.hosts import execute
    from rmqops.operations.hosts.streams import End, Line, Streams

    argv = PassthroughCommand.of(context)
    if not argv:
        raise UsageError(
            "there is no command to run", remedy="give it after --, such as: rmqops exec -i prod -- uptime"
        )
    topology = inventories.load(inventory).topology
    jobs = execute.jobs(topology, instances or [], argv)
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    width = max(len(job.name) for job in jobs)
    lines_of: dict[str, list[str]] = {job.name: [] for job in jobs}
    ends: dict[str, End] = {}
    try:
        with audit.recorded("exec", topology) as entry, Streams(jobs, forks=forks, timeout=timeout) as streams:
            entry.plan = [f"run on {job.name}" for job in jobs]
            for item in streams:
                if isinstance(item, End):
                    ends[item.name] = item
                elif json:
                    lines_of[item.name].append(item.text)
                elif isinstance(item, Line):
                    output.result_line(f"{item.name:<{width}} | {item.text}")
    except output.ReaderGone:
        output.note("nobody reads the output any more, so the command was ended on its hosts")
        return 1
    if json:
        output.result_json([_document(ends[job.name], job.instance.machine, lines_of[job.name]) for job in jobs])
    else:
        _summary([ends[job.name] for job in jobs])
    return 0 if all(end.ok for end in ends.values()) else 1


def _document(end: End, machine: str, lines: list[str]) -> dict[str, object]:
    error = str(end.error) if end.error else None
    return {"name": end.name, "host": machine, "code": end.code, "output": lines, "error": error}


def _summary(ends: list[End]) -> None:
    for end in ends:
        if end.error is not None:
            output.error(end.error)
    rows = [[end.name, "?" if end.code is None else str(end.code)] for end in ends]
    failed = sum(not end.ok for end in ends)
    title = f"{len(ends) - failed} of {len(ends)} exited with 0"
    output.table(title, ["where", "exit code"], rows, stderr=True)

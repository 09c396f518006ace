"""``rmqops status``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Inventory, Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rmqops.operations.observe.heartbeats import Heartbeat
    from rmqops.operations.plan.inspection import Inspection


def command(
    inventory: Inventory,
    json: Json = False,
    heartbeats: Annotated[
        bool,
        typer.Option(
            "--heartbeats",
            help="And each broker's connections to each NameServer, and its last registration there.",
        ),
    ] = False,
    wait: Annotated[float, typer.Option("--wait", help="Wait that many seconds for health.")] = 0,
) -> int:
    """Ask every NameServer and broker, and tell who is master, who is there and what is wrong.

    Exits with 0 when the cluster is healthy and 1 when it is not. Drift is told and is no illness: files, units
    and settings that somebody changed since they were deployed. So are known holes of the release that runs.
    """
    from rmqops.errors import OperationFailed
    from rmqops.operations import inventories
    from rmqops.operations.plan import inspection

    topology = inventories.load(inventory).topology
    if wait:
        from rmqops.operations.observe import health

        with suppress(OperationFailed):  # what is wrong is told below, as it is then
            health.wait(topology, wait)
    inspected = inspection.inspect(topology)
    document = inspected.json()
    if not json:
        _show(inspected)
        for text in inspected.drift:
            output.result(f"drift: {text}")
        for text in inspected.warnings:
            output.result(f"warning: {text}")
    if heartbeats:
        from rmqops.operations.observe import heartbeats as heartbeats_module

        beats, errors = heartbeats_module.survey(topology)
        document["heartbeats"] = [beat.json() for beat in beats]
        if not json:
            _show_heartbeats(beats)
        for name, error in errors.items():
            output.note(f"{name}: {error}")
    if json:
        output.result_json(document)
    return 0 if inspected.status.healthy else 1


def _show_heartbeats(beats: Sequence[Heartbeat]) -> None:
    output.table(
        "what brokers hold with NameServers",
        ["broker", "NameServer", "connections", "last registered"],
        [
            [
                beat.broker,
                beat.nameserver,
                str(beat.connections),
                "not in its log" if beat.ago is None else f"{beat.ago:.1f} s ago",
            ]
            for beat in beats
        ],
    )


def _show(inspected: Inspection) -> None:
    from rmqops.operations.plan import running_releases

    status = inspected.status
    versions = {name: running_releases.version(release) for name, release in inspected.releases.items()}
    rows = [
        [server.name, "NameServer", server.address, "", "yes" if server.reachable else "no"]
        for server in status.nameservers
    ]
    rows += [
        [member.name, group.name, member.address, member.role or "?", "yes" if member.alive else "no"]
        for group in status.groups
        for member in group.members
    ]
    output.table(
        f"cluster {status.cluster}, RocketMQ {status.version} wanted",
        ["instance", "group", "address", "role", "answers", "runs"],
        [[*row, versions.get(row[0], "?")] for row in rows],
    )
    if status.healthy:
        output.result("healthy")
    for problem in status.problems:
        output.result(f"problem: {problem}")

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
    from rmqops.operations.observe.status import Status


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
    and settings that somebody changed since they were deployed.
    """
    from rmqops.errors import OperationFailed
    from rmqops.operations import inventories
    from rmqops.operations.plan import inspection

    topology = inventories.load(inventory).topology
    if wait:
        from rmqops.operations.observe import health

        with suppress(OperationFailed):  # what is wrong is told below, as it is then
            health.wait(topology, wait)
    seen = inspection.inspect(topology)
    document = seen.json()
    if not json:
        _show(seen.status)
        for text in seen.drift:
            output.result(f"drift: {text}")
    if heartbeats:
        from rmqops.operations.observe import heartbeats as asked

        found, errors = asked.survey(topology)
        document["heartbeats"] = [one.json() for one in found]
        if not json:
            _show_heartbeats(found)
        for name, error in errors.items():
            output.note(f"{name}: {error}")
    if json:
        output.result_json(document)
    return 0 if seen.status.healthy else 1


def _show_heartbeats(found: Sequence[Heartbeat]) -> None:
    output.table(
        "what brokers hold with NameServers",
        ["broker", "NameServer", "connections", "last registered"],
        [
            [
                one.broker,
                one.nameserver,
                str(one.connections),
                "not in its log" if one.ago is None else f"{one.ago:.1f} s ago",
            ]
            for one in found
        ],
    )


def _show(seen: Status) -> None:
    rows = [
        [server.name, "NameServer", server.address, "", "yes" if server.reachable else "no"]
        for server in seen.nameservers
    ]
    rows += [
        [member.name, group.name, member.address, member.role or "?", "yes" if member.alive else "no"]
        for group in seen.groups
        for member in group.members
    ]
    output.table(
        f"cluster {seen.cluster}, RocketMQ {seen.version}",
        ["instance", "group", "address", "role", "answers"],
        rows,
    )
    if seen.healthy:
        output.result("healthy")
    for problem in seen.problems:
        output.result(f"problem: {problem}")

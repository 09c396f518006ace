"""What the processes of a cluster say: their status, and what each runs with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from rmqops.errors import RemotingError
from rmqops.model.topology import Instance, Topology
from rmqops.operations.observe import status
from rmqops.operations.observe.status import Status
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.system import event_loop

SettingsInForce = Mapping[str, Mapping[str, str]]
"""What each process that answered runs with, by instance."""


def status_and_settings(topology: Topology) -> tuple[Status, SettingsInForce]:
    """Ask each process for what it knows of the cluster and what it runs with."""
    return event_loop.run(_ask(topology))


async def _ask(topology: Topology) -> tuple[Status, SettingsInForce]:
    async with Client(connect_timeout=status.TIMEOUT, request_timeout=status.TIMEOUT) as client:
        answers, live = await asyncio.gather(status.ask(topology, client), _all_settings(topology, client))
    return status.assess(topology, answers), live


async def _all_settings(topology: Topology, client: Client) -> SettingsInForce:
    answers = await asyncio.gather(*(_settings(instance, client) for instance in topology.instances))
    return {name: settings for name, settings in answers if settings is not None}


async def _settings(instance: Instance, client: Client) -> tuple[str, Mapping[str, str] | None]:
    admin = Admin(client)
    ask = admin.broker_config if instance.kind == "broker" else admin.nameserver_config
    try:
        return instance.name, await ask(instance.address)
    except RemotingError:
        return instance.name, None

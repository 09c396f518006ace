"""The status of a cluster, and what has drifted from what was deployed: processes and hosts asked side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from rmqops.errors import RemotingError
from rmqops.model.topology import Instance, Topology
from rmqops.operations import drift, facts, status, supervision
from rmqops.operations.facts import Facts
from rmqops.operations.status import Status
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client

Settings = Mapping[str, Mapping[str, str]]
"""What each process that answered runs with, by instance."""


@dataclass(frozen=True)
class Inspection:
    """A cluster's status, and how it differs from what was deployed."""

    status: Status
    drift: tuple[str, ...]
    """One sentence for each difference, or for each host that could not be looked at."""

    def json(self) -> dict[str, object]:
        """Return the object that ``rmqops status --json`` prints (docs: the contract)."""
        return {**self.status.json(), "drift": list(self.drift)}


def inspect(topology: Topology) -> Inspection:
    """Ask every process and every host; never raises for a cluster that is down."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        hosts = beside.submit(facts.survey, topology.instances)
        seen, live = asyncio.run(_ask(topology))
        found, errors = hosts.result()
    return Inspection(_explained(seen, found), tuple(_drift(topology, found, errors, live)))


def _explained(seen: Status, found: Mapping[str, Facts]) -> Status:
    """Add to the problems what systemd says of the units that it could not keep up."""
    complaints = [(name, supervision.complaint(host)) for name, host in found.items()]
    told = tuple(((name,), f"{name}: {text}") for name, text in complaints if text)
    return replace(seen, troubles=seen.troubles + told)


def settings(topology: Topology) -> Settings:
    """Ask each process what it runs with."""

    async def ask() -> Settings:
        async with Client(connect_timeout=status.TIMEOUT, request_timeout=status.TIMEOUT) as client:
            return await _all_settings(topology, client)

    return asyncio.run(ask())


async def _ask(topology: Topology) -> tuple[Status, Settings]:
    async with Client(connect_timeout=status.TIMEOUT, request_timeout=status.TIMEOUT) as client:
        answers, live = await asyncio.gather(status.ask(topology, client), _all_settings(topology, client))
    return status.assess(topology, answers), live


async def _all_settings(topology: Topology, client: Client) -> Settings:
    told = await asyncio.gather(*(_settings(instance, client) for instance in topology.instances))
    return {name: found for name, found in told if found is not None}


async def _settings(instance: Instance, client: Client) -> tuple[str, Mapping[str, str] | None]:
    admin = Admin(client)
    ask = admin.broker_config if instance.kind == "broker" else admin.nameserver_config
    try:
        return instance.name, await ask(instance.address)
    except RemotingError:
        return instance.name, None


def _drift(
    topology: Topology, found: Mapping[str, Facts], errors: Mapping[str, str], live: Settings
) -> Iterator[str]:
    for instance in topology.instances:
        if instance.name in errors:
            yield f"{instance.name}: its host could not be looked at: {errors[instance.name]}"
            continue
        host = found[instance.name]
        if host.mark is None:
            continue
        told = [*drift.on_host(host), *drift.in_force(instance, host, live.get(instance.name, {}))]
        yield from (f"{instance.name}: {text}" for text in told)

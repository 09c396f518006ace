"""The status of a cluster, and what has drifted from what was deployed: processes and hosts asked side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rmqops.model.topology import Topology
from rmqops.operations.hosts import facts, supervision
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.plan import drift

if TYPE_CHECKING:
    from rmqops.operations.observe.settings_in_force import SettingsInForce
    from rmqops.operations.observe.status import Status


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
        from rmqops.operations.observe import (
            settings_in_force,  # a tenth of a second, in which the hosts are at work
        )

        seen, live = settings_in_force.status_and_settings(topology)
        found, errors = hosts.result()
    return Inspection(_explained(seen, found), tuple(_drift(topology, found, errors, live)))


def _explained(seen: Status, found: Mapping[str, Facts]) -> Status:
    """Add to the problems what systemd says of the units that it could not keep up."""
    complaints = [(name, supervision.complaint(host)) for name, host in found.items()]
    told = tuple(((name,), f"{name}: {text}") for name, text in complaints if text)
    return replace(seen, troubles=seen.troubles + told)


def _drift(
    topology: Topology, found: Mapping[str, Facts], errors: Mapping[str, str], live: SettingsInForce
) -> Iterator[str]:
    for instance in topology.instances:
        if instance.name in errors:
            yield f"{instance.name}: its host could not be looked at: {errors[instance.name]}"
            continue
        host = found[instance.name]
        if host.mark is None:
            continue
        live_now = live.get(instance.name, {})
        told = [
            *drift.on_host(host),
            *drift.role(instance, host),
            *drift.in_force(instance, host, live_now),
        ]
        yield from (f"{instance.name}: {text}" for text in told)

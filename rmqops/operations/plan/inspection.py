"""The status of a cluster, and what has drifted from what was deployed: processes and hosts asked side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rmqops.model.topology import Topology
from rmqops.operations.hosts import armed_heals, facts, supervision
from rmqops.operations.hosts.facts import Facts, HostSurvey
from rmqops.operations.plan import drift, running_releases
from rmqops.transport.base import Transports, transport_for

if TYPE_CHECKING:
    from rmqops.operations.observe.settings_in_force import SettingsInForce
    from rmqops.operations.observe.status import Status


@dataclass(frozen=True)
class Inspection:
    """A cluster's status, and how it differs from what was deployed."""

    status: Status
    drift: tuple[str, ...]
    """One sentence for each difference, or for each host that could not be looked at."""
    warnings: tuple[str, ...] = ()
    """What is no illness and should be known: holes that are open, releases that are not the wanted one."""
    releases: Mapping[str, str] = field(default_factory=dict)
    """Name of the release that each process was started from, by instance, where its host could be looked at."""

    def json(self) -> dict[str, object]:
        """Return the object that ``rmqops status --json`` prints (docs: the contract)."""
        return {**self.status.json(self.releases), "drift": list(self.drift), "warnings": list(self.warnings)}


def inspect(topology: Topology, transports: Transports = transport_for) -> Inspection:
    """Ask every process and every host; never raises for a cluster that is down."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        hosts = beside.submit(facts.survey, topology.instances, transports)
        from rmqops.operations.observe import (
            settings_in_force,  # a tenth of a second, in which the hosts are at work
        )

        status, settings = settings_in_force.status_and_settings(topology)
        survey = hosts.result()
    answering = {server.name for server in status.nameservers if server.reachable}
    answering |= {member.name for group in status.groups for member in group.members if member.alive}
    warnings = [
        running_releases.pending(topology, survey.facts),
        running_releases.warning(topology, survey.facts, answering),
    ]
    return Inspection(
        _with_complaints(topology, status, survey.facts),
        tuple(_drift(topology, survey, settings)),
        tuple(filter(None, warnings)),
        {name: host.on for name, host in survey.facts.items() if host.on is not None},
    )


def _with_complaints(topology: Topology, status: Status, facts: Mapping[str, Facts]) -> Status:
    """Add to the problems what keeps units down, what a drill has left, and what is in no inventory."""
    complaints = [
        (name, f"{name}: {text}") for name, host in facts.items() if (text := supervision.complaint(host))
    ]
    told = tuple(((name,), text) for name, text in (*complaints, *armed_heals.problems(topology, facts)))
    return replace(status, troubles=(*status.troubles, *told, *(((), text) for text in status.unlisted)))


def _drift(topology: Topology, survey: HostSurvey, settings: SettingsInForce) -> Iterator[str]:
    for instance in topology.instances:
        if instance.name in survey.errors:
            yield f"{instance.name}: its host could not be looked at: {survey.errors[instance.name]}"
            continue
        host = survey.facts[instance.name]
        if host.mark is not None:
            sentences = drift.everything(instance, host, settings.get(instance.name, {}))
            yield from (f"{instance.name}: {text}" for text in sentences)

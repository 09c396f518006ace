"""Start, stop and restart instances; nothing is written to a host but its processes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rmqops.errors import OperationFailed
from rmqops.model.topology import Instance, Topology
from rmqops.operations.change.fleet import Fleet
from rmqops.operations.change.progress import Progress
from rmqops.operations.change.recipe import Verb
from rmqops.operations.hosts import armed_heals, facts
from rmqops.operations.hosts.facts import HostSurvey
from rmqops.operations.observe import health
from rmqops.operations.observe.status import Status
from rmqops.operations.plan import mastership


@dataclass(frozen=True)
class ProcessPlan:
    """Instances whose processes are started, stopped or restarted."""

    verb: str
    instances: tuple[Instance, ...]

    @property
    def steps(self) -> tuple[str, ...]:
        """One for each instance."""
        return tuple(f"{self.verb} {instance.name}" for instance in self.instances)


@dataclass(frozen=True)
class ProcessVerb(Verb[ProcessPlan, None]):
    """What the three have in common: it is about instances that were deployed."""

    fleet: Fleet
    instances: tuple[Instance, ...]

    def plan(self) -> ProcessPlan:
        """Look whether they were.

        Raises:
            OperationFailed: some were not.
            RmqopsError: a host could not be asked.
        """
        require_ready(self.fleet.topology, self.instances, facts.survey(self.instances, self.fleet.transports))
        return ProcessPlan(self.name, self.instances)


@dataclass(frozen=True)
class StartingVerb(ProcessVerb):
    """What a start and a restart have in common: neither makes a second master."""

    def plan(self) -> ProcessPlan:
        """Look at the hosts, once for both questions.

        Raises:
            OperationFailed: some instances are not deployed.
            Unsafe: a group without elections would have two masters.
            RmqopsError: a host could not be asked.
        """
        survey = self.fleet.survey(self.instances)
        require_ready(self.fleet.topology, self.instances, survey)
        mastership.refuse_second_master(self.fleet.topology, self.instances, survey.facts)
        return ProcessPlan(self.name, self.instances)


@dataclass(frozen=True)
class Start(StartingVerb):
    """Start instances, NameServers first, and wait for health if that is the whole cluster."""

    name = "start"

    def carry_out(self, plan: ProcessPlan, progress: Progress) -> None:
        """Start them."""
        self.fleet.play("start", plan.instances, progress)

    def gate(self, plan: ProcessPlan, progress: Progress) -> Status | None:
        """Wait for the health of a whole cluster; some members alone may be far from it."""
        if len(plan.instances) < len(self.fleet.topology.instances):
            return None
        return health.wait(self.fleet.topology, transports=self.fleet.transports)


@dataclass(frozen=True)
class Stop(ProcessVerb):
    """Stop instances: all brokers, then the NameServers."""

    name = "stop"

    def carry_out(self, plan: ProcessPlan, progress: Progress) -> None:
        """Stop them."""
        self.fleet.play("stop", plan.instances, progress)


@dataclass(frozen=True)
class Restart(StartingVerb):
    """Restart instances one at a time: NameServers, followers, masters; healthy between one and the next."""

    name = "restart"

    def carry_out(self, plan: ProcessPlan, progress: Progress) -> None:
        """Restart them.

        Raises:
            OperationFailed: the cluster did not become healthy again; the rest was left as it was.
        """
        roll(self.fleet, plan.instances, progress)


def require_ready(topology: Topology, instances: Sequence[Instance], survey: HostSurvey) -> None:
    """Make sure that instances were deployed, and that no fault of a drill may be in force.

    Raises:
        Unsafe: one may be, on one of the hosts that were asked.
        OperationFailed: some were not.
        RmqopsError: a host could not be asked.
    """
    on_hosts = survey.required(instances)
    armed_heals.refuse(topology, survey.facts)
    missing = [item.name for item in instances if on_hosts[item.name].mark != f"{topology.cluster}/{item.name}"]
    if missing:
        raise OperationFailed(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not deployed",
            remedy=f"rmqops deploy --inventory {topology.inventory}",
        )


def roll(fleet: Fleet, instances: Sequence[Instance], progress: Progress, only: Collection[str] = ()) -> None:
    """Restart instances that run, one at a time, with health between; ``only`` as in :func:`health.wait`."""
    left = list(instances)
    while left:
        masters = health.masters(fleet.topology)
        left.sort(key=lambda item: (item.kind == "broker", item.address in masters))
        instance = left.pop(0)
        progress.say(f"restarting {instance.name}")
        fleet.play("restart", [instance], progress)
        health.wait(fleet.topology, only=only, transports=fleet.transports)

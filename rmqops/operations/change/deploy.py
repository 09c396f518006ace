"""Bring a cluster to what its inventory says, and not return before it is healthy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rmqops.errors import Unsafe
from rmqops.model.topology import Instance, Value
from rmqops.operations.change import lifecycle, playbook
from rmqops.operations.change.fleet import NO_RESTART, Fleet, files_of
from rmqops.operations.change.progress import Progress
from rmqops.operations.change.recipe import Verb
from rmqops.operations.hosts import armed_heals
from rmqops.operations.inventories import Loaded
from rmqops.operations.observe import health
from rmqops.operations.observe.status import Status
from rmqops.operations.plan import mastership
from rmqops.operations.plan.plan import Plan, plan
from rmqops.source.artifacts import Artifact


def refuse_sample(loaded: Loaded) -> None:
    """Refuse an inventory that was not filled in.

    Raises:
        Unsafe: it has addresses that are reserved for documentation.
    """
    if loaded.placeholders:
        raise Unsafe(
            f"{loaded.topology.inventory} is a sample: it has addresses that are reserved for documentation",
            detail="\n".join(str(problem) for problem in loaded.placeholders),
            remedy="copy the inventory and put in your own addresses",
        )


def prepare(fleet: Fleet, instances: Sequence[Instance], artifact: Artifact | None) -> Plan:
    """Find out what there is to do to some instances, touching nothing; the hosts are asked once.

    Args:
        fleet: The cluster.
        instances: Those that it is about.
        artifact: What they are to run; None where it is not built yet.

    Raises:
        PreflightFailed: something is in the way.
        Unsafe: it would change who is master in a group without elections, or make a second one.
        RmqopsError: a host could not be asked.
    """
    survey = fleet.survey(instances)
    mastership.refuse_swap(fleet.topology, instances, survey.facts)
    mastership.refuse_second_master(fleet.topology, instances, survey.facts)
    release = artifact.name if artifact else None
    java = artifact.runtime.name if artifact and artifact.runtime else None
    return plan(fleet.topology, instances, survey, release, java, fleet.transports)


@dataclass(frozen=True)
class Deploy(Verb[Plan, None]):
    """Files and dead instances first, then restarts one at a time, then health and a canary.

    A deploy of some instances waits for their health alone.
    """

    name = "deploy"

    fleet: Fleet
    instances: tuple[Instance, ...]
    artifact: Artifact
    forks: int = playbook.FORKS

    def plan(self) -> Plan:
        """Compare the inventory with the hosts (:func:`prepare`), and refuse while a fault may be in force."""
        plan = prepare(self.fleet, self.instances, self.artifact)
        armed_heals.refuse(self.fleet.topology, {change.instance.name: change.facts for change in plan.changes})
        return plan

    def carry_out(self, plan: Plan, progress: Progress) -> None:
        """Put files in place and start what is down, all at once; restart what must be, one after the other."""
        if plan.pending:
            self.fleet.play(
                "site",
                [change.instance for change in plan.pending],
                progress,
                variables={
                    "rocketmq_archives": archives(self.artifact),
                    "rocketmq_hands": representatives(plan),
                    **NO_RESTART,
                },
                rendered={change.instance.name: files_of(change.instance) for change in plan.pending},
                forks=self.forks,
            )
        lifecycle.roll(self.fleet, plan.instances_to("restart"), progress, self._scope)

    def gate(self, plan: Plan, progress: Progress) -> Status:
        """Wait for health."""
        progress.say("waiting for health")
        return health.wait(self.fleet.topology, only=self._scope, transports=self.fleet.transports)

    def canary(self, plan: Plan) -> Collection[str]:
        """Send one to each group that it was about."""
        return self._scope

    @property
    def _scope(self) -> list[str]:
        """The instances that it is about; empty for the whole cluster."""
        names = [instance.name for instance in self.instances]
        return names if len(names) < len(self.fleet.topology.instances) else []


def representatives(plan: Plan) -> dict[str, Value]:
    """Return for each instance the one that acts for all that share its machine and base directory."""
    first: dict[tuple[str, str], Value] = {}
    acting: dict[str, Value] = {}
    for change in plan.pending:
        instance = change.instance
        place = (instance.machine, instance.text("rocketmq_base_dir"))
        acting[instance.name] = first.setdefault(place, instance.name)
    return acting


def archives(artifact: Artifact) -> list[Value]:
    """Return what a machine must have, in the words of the role."""
    needed: list[Value] = [
        {
            "name": artifact.name,
            "link": f"rocketmq-{artifact.version}",
            "archive": str(artifact.path),
            "sha256": artifact.digest,
        }
    ]
    if artifact.runtime:
        needed.append(
            {
                "name": artifact.runtime.name,
                "link": "java",
                "archive": str(artifact.runtime.path),
                "sha256": artifact.runtime.digest,
            }
        )
    return needed

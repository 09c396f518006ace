"""Take a cluster off its hosts again: only what a deploy made, and the messages only when told so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rmqops.errors import Unsafe
from rmqops.model.topology import Instance, Topology
from rmqops.operations.change.fleet import Fleet
from rmqops.operations.change.progress import Progress
from rmqops.operations.change.recipe import Verb
from rmqops.operations.hosts import armed_heals, facts
from rmqops.operations.observe.status import observe
from rmqops.system.progress import Say


@dataclass(frozen=True)
class Removal:
    """What would be removed."""

    instances: tuple[str, ...]
    """Those that are there."""
    data: bool
    """Whether their messages go as well."""
    unlisted: tuple[str, ...] = ()
    """What is registered with the NameServers and in no inventory: it is left running."""
    faults: tuple[tuple[Instance, str], ...] = ()
    """Those of drills that may be in force there, and must end first: their heals go with the rest."""

    @property
    def steps(self) -> tuple[str, ...]:
        """One for each fault, and one for each instance."""
        return (
            *(f"heal {fault} on {instance.name}" for instance, fault in self.faults),
            *(f"remove {name}{' and its messages' if self.data else ''}" for name in self.instances),
        )


@dataclass(frozen=True)
class Destroy(Verb[Removal, None]):
    """End the faults of drills that may be in force; stop and remove every instance."""

    name = "destroy"

    fleet: Fleet
    data: bool
    heal: Callable[[Sequence[Instance], Say], None]
    """Ends every fault whose heal lies on the host of an instance, and says so; raises ``HealFailed``."""

    def plan(self) -> Removal:
        """Look which instances are there.

        Raises:
            Unsafe: a directory belongs to another cluster.
            RmqopsError: a host could not be asked.
        """
        topology = self.fleet.topology
        on_hosts = facts.gather(topology.instances, self.fleet.transports)
        marks = {name: host.mark for name, host in on_hosts.items() if host.mark is not None}
        foreign = {name: mark for name, mark in marks.items() if mark != f"{topology.cluster}/{name}"}
        if foreign:
            raise Unsafe(
                "some directories belong to another cluster; nothing was removed",
                detail="\n".join(f"{topology.instance(name).home}: {mark}" for name, mark in foreign.items()),
                remedy="check rocketmq_instance_dir in the inventory",
            )
        return Removal(
            tuple(marks),
            self.data,
            observe(topology).unlisted if marks else (),
            armed_heals.armed(topology, on_hosts),
        )

    def carry_out(self, plan: Removal, progress: Progress) -> None:
        """Remove all of it, if there is any; hosts on which nothing is are looked after as well.

        Raises:
            HealFailed: a fault may still be in force; nothing was removed.
            OperationFailed: a host failed.
        """
        if plan.faults:
            progress.go_on()
            self.heal([instance for instance, _ in plan.faults], progress.say)
        if plan.instances:
            self.fleet.play("destroy", (), progress, variables={"rocketmq_destroy_data": plan.data})


def refuse_other_name(topology: Topology, typed: str) -> None:
    """Refuse unless the cluster's name was typed.

    Raises:
        Unsafe: another was.
    """
    if typed != topology.cluster:
        raise Unsafe(
            f"this removes cluster {topology.cluster}, and the name given was {typed!r}",
            remedy=f"type the cluster's name, or give --confirm {topology.cluster}",
        )

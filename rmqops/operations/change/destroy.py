"""Take a cluster off its hosts again: only what a deploy made, and the messages only when told so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rmqops.errors import Unsafe
from rmqops.model.topology import Instance, Topology
from rmqops.operations.change.fleet import Fleet
from rmqops.operations.change.progress import Progress
from rmqops.operations.change.recipe import Verb
from rmqops.operations.hosts import armed_heals, directories, facts
from rmqops.operations.hosts.directories import Part
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.observe.status import observe
from rmqops.system.progress import Say

_PARTS: Final[tuple[Part, ...]] = ("data", "logs")


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
    left: tuple[str, ...] = ()
    """Directories that the inventory names and no deploy made."""

    @property
    def steps(self) -> tuple[str, ...]:
        """One for each fault, one for each instance, and one for each directory that stays."""
        return (
            *(f"heal {fault} on {instance.name}" for instance, fault in self.faults),
            *(f"remove {name}{' and its messages' if self.data else ''}" for name in self.instances),
            *(f"leave {text}" for text in self.left),
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
        there = {
            name for name, host in on_hosts.items() if host.mark or (self.data and _ours(topology, name, host))
        }
        left = tuple(text for name in marks for text in _left(topology, name, on_hosts[name]))
        unlisted = observe(topology).unlisted if marks else ()
        names = tuple(name for name in on_hosts if name in there)
        return Removal(names, self.data, unlisted, armed_heals.armed(topology, on_hosts), left)

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


def _ours(topology: Topology, name: str, host: Facts) -> bool:
    """Tell whether messages are there that an earlier destroy has left."""
    data = host.directories.get("data")
    return data is not None and data.mark == f"{topology.cluster}/{name}"


def _left(topology: Topology, name: str, host: Facts) -> Iterator[str]:
    """Name the directories of an instance that bear another mark, or none and are not known by its run.sh."""
    instance = topology.instance(name)
    for part in _PARTS:
        found = host.directories.get(part)
        if found is not None and found.mode and found.mark != host.mark and not found.named:
            yield f"{directories.path_of(instance, part)}, which no deploy of {name} made"

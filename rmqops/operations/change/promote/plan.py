"""A change of roles in a group without elections, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from rmqops.errors import Unsafe, UsageError
from rmqops.model.topology import Group, Instance, Topology
from rmqops.operations.plan.mastership import Role


@dataclass(frozen=True)
class RoleChange:
    """What is done to one member."""

    instance: Instance
    before: Role | None
    """What its file says; None where its host cannot be asked."""
    after: Role

    @property
    def was_master(self) -> bool:
        """Whether its file says that it is one."""
        return self.before is not None and self.before.master


@dataclass(frozen=True)
class PromotionPlan:
    """A change of roles, looked into and allowed."""

    group: Group
    new_master: RoleChange
    old_master: RoleChange
    """Was master, and becomes a slave."""
    gone: bool
    """The old master's host is dead, and nothing is done there."""
    log_end: int | None = None
    """Where the new master's log ended, if an earlier run has written that down and not come to the old one's."""
    running: bool = True
    """Whether the one that becomes master runs, as what its file says."""
    undoing: bool = False
    """Whether roles are given back as the inventory has them."""
    returning: bool = False
    """Whether an earlier run has stopped the one that gives its role back, and came no further."""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        old = self.old_master
        old_done = self.gone or (old.before == old.after and self.log_end is None)
        return self.running and self.new_master.before == self.new_master.after and old_done

    @property
    def resumed(self) -> bool:
        """Whether an earlier run has stopped the one that becomes master, and came no further."""
        return not self.running and self.log_end is not None and self.new_master.before != self.new_master.after

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done, in order; nothing when all is done."""
        if self.done:
            return ()
        new, old = self.new_master.instance.name, self.old_master.instance.name
        new_step = f"{new}: {self.new_master.before} -> {self.new_master.after}, and is restarted"
        if self.undoing:
            return (
                f"{old}: refuses sends until {new} has everything",
                f"{old}: {self.old_master.before} -> {self.old_master.after}, and is restarted",
                new_step,
            )
        if self.gone:
            return new_step, f"{old}: is left alone: its host is dead"
        return (
            new_step,
            f"{old}: gets {self.old_master.after}, and stays stopped",
            f"{old}: what only its log holds is set aside on its host, and kept",
        )


def find_slave(topology: Topology, name: str) -> tuple[Group, Instance]:
    """Return a broker and its group, which has masters and slaves and elects nobody.

    Raises:
        UsageError: there is no such broker.
        Unsafe: its group elects its master by itself, or has no slave.
    """
    for group in topology.groups:
        for member in group.members:
            if member.name != name:
                continue
            if group.mode == "dledger":
                raise Unsafe(
                    f"{name} is in {group.name}, a DLedger group, which elects its master by itself",
                    remedy="rmqops status says who it is; a majority of the members must run",
                )
            if group.mode == "single":
                raise Unsafe(f"{name} is alone in {group.name}: there is no slave to be made master")
            return group, member
    known = ", ".join(member.name for member in topology.brokers)
    raise UsageError(f"{topology.inventory} has no broker {name}", remedy=f"it has {known}")

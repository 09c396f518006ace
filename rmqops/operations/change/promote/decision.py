"""Whether a slave may be made master, and what that would do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rmqops.errors import OperationFailed, Unsafe, UsageError
from rmqops.model.roles import MASTER_ID
from rmqops.model.topology import Group, Instance
from rmqops.operations.change.fleet import Fleet
from rmqops.operations.change.promote import record
from rmqops.operations.change.promote.plan import PromotionPlan, RoleChange, find_slave
from rmqops.operations.change.promote.record import PromotionRecord
from rmqops.operations.hosts import armed_heals, facts
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.observe import status
from rmqops.operations.observe.status import Answers
from rmqops.operations.plan import mastership
from rmqops.operations.plan.mastership import SLAVE, Role


@dataclass(frozen=True)
class GroupState:
    """What the hosts and the processes of a group said when they were asked."""

    group: Group
    facts: Mapping[str, Facts]
    """By member; those whose hosts are gone are missing."""
    answers: Answers

    def role(self, member: Instance) -> Role | None:
        """Return the role that a member's file says; None where nobody knows, or nothing is deployed."""
        return mastership.role_on_host(self.facts[member.name]) if member.name in self.facts else None

    def alive(self, member: Instance) -> bool:
        """Tell whether a member's process runs, as its host says."""
        return member.name in self.facts and self.facts[member.name].alive


def group_state(fleet: Fleet, group: Group, gone: Collection[str]) -> GroupState:
    """Ask every host of a group that is not gone, and every process of the cluster.

    Raises:
        UsageError: somebody who is not in the group is said to be gone.
        Unsafe: another host cannot be asked, or a fault of a drill may be in force on one.
    """
    names = {member.name for member in group.members}
    if strangers := sorted(set(gone) - names):
        raise UsageError(
            f"{', '.join(strangers)} is not in {group.name}", remedy=f"it has {', '.join(sorted(names))}"
        )
    survey = facts.survey([member for member in group.members if member.name not in gone], fleet.transports)
    if survey.errors:
        raise Unsafe(
            f"{', '.join(survey.errors)} cannot be asked, and may be running",
            detail="\n".join(map(str, survey.errors.values())),
            remedy="see to its host; only if that is dead and stays so, give --gone with the name",
        )
    armed_heals.refuse(fleet.topology, survey.facts)
    return GroupState(group, survey.facts, status.hear(fleet.topology))


def decide(fleet: Fleet, name: str, gone: Collection[str] = ()) -> PromotionPlan:
    """Find out what a promotion would do, and whether it may be done; touches nothing.

    Args:
        fleet: The cluster.
        name: The slave that is to be master.
        gone: Members whose hosts are dead, as a person says.

    Raises:
        UsageError: there is no such broker, or somebody of no use is said to be gone.
        Unsafe: the master lives or may live, a host cannot be asked, or another slave holds more.
        OperationFailed: the slave is not deployed or does not run.
    """
    group, slave = find_slave(fleet.topology, name)
    state = group_state(fleet, group, gone)
    role = state.role(slave)
    if role is None:
        raise OperationFailed(f"{name} is not deployed, or its host cannot be asked")
    last = record.read(slave, fleet.transports(slave))
    old_master = _old_master(state, slave, last)
    old_role = state.role(old_master)
    plan = PromotionPlan(
        group,
        RoleChange(slave, role, role if role.master else Role(MASTER_ID, _master_word(group, old_role))),
        RoleChange(old_master, old_role, Role(_slave_number(state, slave, old_master), SLAVE)),
        old_master.name in gone,
        last.pending_log_end if last else None,
        state.alive(slave),
    )
    _refuse_living(fleet, plan, state)
    if not role.master and not plan.resumed:
        others = [member for member in group.members if member not in (slave, old_master)]
        _refuse_behind(fleet, slave, [other for other in others if other.name not in gone], state.answers)
    return plan


def _old_master(state: GroupState, slave: Instance, last: PromotionRecord | None) -> Instance:
    """Return the master by the files; else the one that an earlier run replaced, or whose host is gone."""
    others = [member for member in state.group.members if member != slave]
    for member in others:
        if (role := state.role(member)) is not None and role.master:
            return member
    recorded = [member for member in others if last is not None and member.name == last.old_master]
    absent = [member for member in others if member.name not in state.facts]
    by_inventory = [member for member in others if mastership.role_in_inventory(member).master]
    own_role = state.role(slave)
    promoted = own_role is not None and own_role.master
    first = (recorded, absent) if promoted else (absent, recorded)
    for candidates in (*first, by_inventory):
        if len(candidates) == 1:
            return candidates[0]
    raise Unsafe(f"nobody knows who was master of {slave.group} before", remedy="see rmqops status")


def _master_word(group: Group, old_role: Role | None) -> str:
    """Return how the group replicates: as its master did, else as the inventory says of its master."""
    if old_role is not None and old_role.master:
        return old_role.word
    return next(role.word for role in map(mastership.role_in_inventory, group.members) if role.master)


def _slave_number(state: GroupState, slave: Instance, old_master: Instance) -> int:
    """Return the broker id that the old master gets: the one that the new one had."""
    role, old_role = state.role(slave), state.role(old_master)
    if role is not None and not role.master:
        return role.number
    if old_role is not None and not old_role.master:
        return old_role.number
    others = [member for member in state.group.members if member not in (slave, old_master)]
    used = {other_role.number for other in others if (other_role := state.role(other)) is not None}
    candidates: list[int] = [mastership.role_in_inventory(member).number for member in (slave, old_master)]
    candidates += range(1, len(state.group.members) + 1)
    return next(number for number in candidates if number != MASTER_ID and number not in used)


def _refuse_living(fleet: Fleet, plan: PromotionPlan, state: GroupState) -> None:
    """Refuse while the old master lives, unless all is done already and it lives as a slave."""
    old_master, answers = plan.old_master.instance, state.answers
    name = old_master.name
    if plan.done and not plan.gone:
        return
    if state.alive(old_master):
        raise Unsafe(
            f"{name}, the master of {plan.group.name}, runs: two masters would take one another's place",
            remedy=f"to change masters all the same, rmqops stop {name} --inventory {fleet.topology.inventory} "
            "first",
        )
    if name in answers.runtimes:
        raise Unsafe(
            f"{name}, the master of {plan.group.name}, answers at {old_master.address}",
            remedy="make sure that it is down",
        )
    registered = [server for server in answers.routes if status.ids(old_master, answers).get(server) == MASTER_ID]
    if plan.gone and registered:
        raise Unsafe(
            f"{', '.join(registered)} heard from {name} within the last 120 s, so its host may be alive",
            remedy="a broker that is silent is dropped after 120 s: try again then",
        )


def _refuse_behind(fleet: Fleet, slave: Instance, others: Sequence[Instance], answers: Answers) -> None:
    """Refuse a slave that lacks what another slave has."""
    runtime = answers.runtimes.get(slave.name)
    if runtime is None:
        raise Unsafe(
            f"{slave.name} does not answer: {answers.errors.get(slave.name)}",
            remedy=f"rmqops start {slave.name} --inventory {fleet.topology.inventory}",
        )
    for other in others:
        other_runtime = answers.runtimes.get(other.name)
        if other_runtime is None:
            raise Unsafe(
                f"{other.name} does not answer, and may hold more than {slave.name}",
                remedy=f"rmqops start {other.name}, or --gone {other.name} if its host is dead",
            )
        if other_runtime.log_max > runtime.log_max:
            raise Unsafe(
                f"{other.name} holds {other_runtime.log_max - runtime.log_max} bytes more than {slave.name}",
                remedy=f"promote {other.name}",
            )

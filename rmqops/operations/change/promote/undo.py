"""Give the roles of a group back as the inventory has them, with nothing lost."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from rmqops.errors import OperationFailed, RmqopsError, Unsafe
from rmqops.model.roles import MASTER_ID
from rmqops.model.topology import Instance
from rmqops.operations.change.fleet import Fleet
from rmqops.operations.change.progress import Progress
from rmqops.operations.change.promote import record, replication
from rmqops.operations.change.promote.decision import GroupState, group_state
from rmqops.operations.change.promote.plan import PromotionPlan, RoleChange, find_slave
from rmqops.operations.change.promote.record import PromotionRecord
from rmqops.operations.change.recipe import Verb
from rmqops.operations.observe import commit_log_tail, health
from rmqops.operations.observe.commit_log_tail import CommitLogTail
from rmqops.operations.observe.status import Status
from rmqops.operations.plan import mastership
from rmqops.operations.plan.mastership import Role
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.system import event_loop

REFUSE_SENDS = 300.0
"""Seconds for which a master that is to go refuses to store; a broker goes on by itself when they have passed."""


@dataclass(frozen=True)
class UndoPromotion(Verb[PromotionPlan, CommitLogTail | None]):
    """The one that goes refuses sends, the other copies the rest, and they change places."""

    name = "promote"

    fleet: Fleet
    broker: str
    """The one that was promoted."""

    def plan(self) -> PromotionPlan:
        """Find out whether the roles can be given back.

        Raises:
            UsageError: there is no such broker.
            Unsafe: it was not promoted, or the old master is not its slave, running.
            OperationFailed: a host cannot be asked.
        """
        group, promoted = find_slave(self.fleet.topology, self.broker)
        state = group_state(self.fleet, group, ())
        master = next(each for each in group.members if mastership.role_in_inventory(each).master)
        if master == promoted:
            raise Unsafe(
                f"{promoted.name} is the master by the inventory", remedy="name the one that was promoted"
            )
        master_role, promoted_role = state.role(master), state.role(promoted)
        if master_role is None or promoted_role is None:
            raise OperationFailed(f"{promoted.name} or {master.name} is not deployed")
        last = record.read(promoted, self.fleet.transports(promoted))
        plan = PromotionPlan(
            group,
            new_master=RoleChange(master, master_role, mastership.role_in_inventory(master)),
            old_master=RoleChange(promoted, promoted_role, mastership.role_in_inventory(promoted)),
            gone=False,
            log_end=last.pending_log_end if last else None,
            undoing=True,
            returning=last is not None and last.state == "returning" and not state.alive(promoted),
        )
        if not (plan.done and state.alive(promoted) and state.alive(master)):
            self._refuse_unequal(plan, state)
        return plan

    def carry_out(self, plan: PromotionPlan, progress: Progress) -> None:
        """Do what is left of it.

        Raises:
            OperationFailed: a step failed; the same command goes on from there.
        """
        topology, fleet = self.fleet.topology, self.fleet
        master, promoted = plan.new_master.instance, plan.old_master.instance
        if plan.new_master.was_master:
            fleet.place(mastership.with_role(promoted, plan.old_master.after), progress)
        else:
            self._stop_level(plan, progress)
            fleet.place(mastership.with_role(promoted, plan.old_master.after), progress)
            fleet.place(mastership.with_role(master, plan.new_master.after), progress)
        if health.masters_by_group(topology)[plan.group.name] != master.address:
            progress.say(f"restarting {master.name} as master")
            fleet.play("restart", [master], progress)
        replication.wait_until_named(topology, plan.group, master, fleet.transports)
        progress.say(f"starting {promoted.name} as slave")
        fleet.play("start", [promoted], progress)
        record.remove(promoted, fleet.transports(promoted))

    def gate(self, plan: PromotionPlan, progress: Progress) -> Status:
        """Wait for the group's health."""
        progress.say("waiting for health")
        names = [member.name for member in plan.group.members]
        return health.wait(self.fleet.topology, only=names, transports=self.fleet.transports)

    def canary(self, plan: PromotionPlan) -> Collection[str]:
        """Send one to the master."""
        return [plan.new_master.instance.name]

    def _refuse_unequal(self, plan: PromotionPlan, state: GroupState) -> None:
        """Refuse while one of the two may lack what the other took."""
        master, promoted = plan.new_master, plan.old_master
        name, master_name = promoted.instance.name, master.instance.name
        if promoted.was_master and master.was_master:
            raise Unsafe(
                f"{name} and {master_name} both are deployed as master",
                remedy=f"rmqops stop {master_name}, then rmqops promote {name}, which makes it a slave, and start "
                "it",
            )
        if not state.alive(master.instance):
            raise Unsafe(
                f"{master_name} does not run, so it has not what {name} took as master",
                remedy=f"rmqops start {master_name} --inventory {self.fleet.topology.inventory}: "
                "as a slave it catches up",
            )
        if promoted.was_master and not state.alive(promoted.instance) and not plan.returning:
            raise Unsafe(
                f"{name} is the master and does not run, so {master_name} may lack what it took",
                remedy=f"rmqops start {name}; or, if it cannot be started, rmqops promote {master_name}",
            )

    def _stop_level(self, plan: PromotionPlan, progress: Progress) -> None:
        """Stop the promoted one when the other has everything that it took, and see that it has.

        Raises:
            OperationFailed: it took more in its last moment, and is master again.
        """
        topology = self.fleet.topology
        master, promoted = plan.new_master.instance, plan.old_master.instance
        is_master = plan.old_master.was_master and not plan.returning
        if is_master:
            replication.wait_until_near(topology, promoted, master)
            progress.say(f"{promoted.name} refuses sends, and {master.name} copies the rest")
        try:
            if is_master:
                _refuse_sends(promoted, REFUSE_SENDS)
                log_end = replication.wait_until_level(topology, promoted, master)
                returning = PromotionRecord(log_end, master.name, "returning")
                record.write(promoted, returning, self.fleet.transports(promoted))
            progress.say(f"stopping {promoted.name}")
            self.fleet.play("stop", [promoted], progress)
        except BaseException:
            with suppress(RmqopsError):  # it is down already, or takes them again by itself after a while
                _refuse_sends(promoted, 0)
            raise
        log_end = replication.log_end_at_rest(topology, master)
        tail = commit_log_tail.count(promoted, log_end, self.fleet.transports(promoted))
        if tail.messages:
            # Its own timers write as well (``ScheduleMessageService``): it must be master again to hand that over.
            again = mastership.with_role(promoted, Role(MASTER_ID, plan.new_master.after.word))
            self.fleet.place(again, progress)
            self.fleet.play("start", [promoted], progress)
            record.remove(promoted, self.fleet.transports(promoted))
            raise OperationFailed(
                f"{promoted.name} took {tail.messages} messages more in its last moment, and is master again",
                remedy="the same command once more",
            )


def _refuse_sends(master: Instance, seconds: float) -> None:
    """Have a master refuse sends for some time (``SendMessageProcessor``), or no more; the rest goes on."""
    until = int((time.time() + seconds) * 1000) if seconds else 0

    async def update() -> None:
        async with Client() as client:
            await Admin(client).update_broker_config(
                master.address, {"startAcceptSendRequestTimeStamp": str(until)}
            )

    event_loop.run(update())

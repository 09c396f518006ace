"""Make a slave the master of its group."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rmqops.errors import OperationFailed
from rmqops.model.topology import Instance
from rmqops.operations.change.fleet import Fleet
from rmqops.operations.change.progress import Progress
from rmqops.operations.change.promote import record, replication
from rmqops.operations.change.promote.decision import decide
from rmqops.operations.change.promote.plan import PromotionPlan
from rmqops.operations.change.promote.record import PromotionRecord
from rmqops.operations.change.recipe import Verb
from rmqops.operations.observe import commit_log_tail, status
from rmqops.operations.observe.commit_log_tail import CommitLogTail
from rmqops.operations.observe.status import Status
from rmqops.operations.plan import mastership


@dataclass(frozen=True)
class Promote(Verb[PromotionPlan, CommitLogTail | None]):
    """The result is what the old master's log held that the new one's did not; None when nobody looked."""

    name = "promote"

    fleet: Fleet
    broker: str
    """The slave."""
    gone: tuple[str, ...] = ()
    """Members whose hosts are dead, as a person says."""

    def plan(self) -> PromotionPlan:
        """Look, and refuse what could lose messages or make two masters (:func:`decide`)."""
        return decide(self.fleet, self.broker, self.gone)

    def carry_out(self, plan: PromotionPlan, progress: Progress) -> CommitLogTail | None:
        """Do what is left of the four steps."""
        if plan.done:
            return None
        new, old = plan.new_master.instance, plan.old_master.instance
        becomes_master = plan.new_master.before != plan.new_master.after
        if not plan.gone:
            progress.say(f"making sure that {old.name} stays down")
            self.fleet.play("stop", [old], progress)
        log_end = self._stop_at_rest(plan, progress) if becomes_master else plan.log_end
        tail = None
        if not plan.gone and log_end is not None:
            if becomes_master:
                self._refuse_different_logs(new, old, log_end)
            tail = self._set_tail_aside(plan, log_end, progress)
        if becomes_master:
            self.fleet.place(mastership.with_role(new, plan.new_master.after), progress)
        if tail is not None and log_end is not None:
            # Not before its files say master: by the pending record a stopped slave is known as one to go on with.
            self._write_record(new, PromotionRecord(log_end, old.name, "complete"))
        if becomes_master or not plan.running:
            progress.say(f"starting {new.name} as master")
            self.fleet.play("start", [new], progress)
        return tail

    def gate(self, plan: PromotionPlan, progress: Progress) -> Status:
        """Wait until every NameServer names the new master; the old one may be down for good."""
        if plan.done:
            return status.observe(self.fleet.topology)
        progress.say("waiting until every NameServer names it")
        new = plan.new_master.instance
        return replication.wait_until_named(self.fleet.topology, plan.group, new, self.fleet.transports)

    def canary(self, plan: PromotionPlan) -> Collection[str] | None:
        """Send one to the new master."""
        return None if plan.done else [plan.new_master.instance.name]

    def _stop_at_rest(self, plan: PromotionPlan, progress: Progress) -> int:
        """Stop the slave when its log has come to rest, and write down where that ends; return it."""
        new, old = plan.new_master.instance, plan.old_master.instance
        log_end = plan.log_end
        if log_end is None or not plan.resumed:
            log_end = replication.log_end_at_rest(self.fleet.topology, new)
            self._write_record(new, PromotionRecord(log_end, old.name, "pending"))
        progress.say(f"stopping {new.name}; its log ends at {log_end}")
        self.fleet.play("stop", [new], progress)
        return log_end

    def _set_tail_aside(self, plan: PromotionPlan, log_end: int, progress: Progress) -> CommitLogTail:
        """Make a slave of the old master by its files, and set aside what only its log holds.

        The files first: as they were it would be a master that lacks what is set aside.
        """
        new, old = plan.new_master.instance, plan.old_master.instance
        self.fleet.place(mastership.with_role(old, plan.old_master.after), progress)
        tail = commit_log_tail.set_aside(old, log_end, self.fleet.transports(old))
        progress.say(f"{old.name} held {tail.messages} messages, {tail.bytes} bytes, that {new.name} did not")
        return tail

    def _write_record(self, instance: Instance, content: PromotionRecord) -> None:
        record.write(instance, content, self.fleet.transports(instance))

    def _refuse_different_logs(self, new: Instance, old: Instance, log_end: int) -> None:
        """Refuse where two logs that should be the same up to a place are not, right before it.

        Raises:
            OperationFailed: they are not; no file was changed.
        """
        new_tail = commit_log_tail.count(new, log_end, self.fleet.transports(new))
        old_tail = commit_log_tail.count(old, log_end, self.fleet.transports(old))
        if new_tail.messages:
            raise OperationFailed(
                f"the log of {new.name} is longer than the {log_end} bytes that were written down; "
                "no file was changed",
                remedy=f"rmqops start {new.name}, and then the same command once more",
            )
        if old_tail.bytes and new_tail.before != old_tail.before:
            raise OperationFailed(
                f"the logs of {new.name} and {old.name} differ before byte {log_end} already; no file was changed",
                remedy=f"start both again (rmqops start), and see why {new.name} was no copy of {old.name}",
            )

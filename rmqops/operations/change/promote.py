"""Make a slave the master of its group, as a person must where nothing elects; and give the roles back.

Before DLedger (4.5.0) a group whose master died is read from its slaves and takes no writes until a person acts:
writes the master's two settings into a slave's file, restarts it, and sees to it that the old master never comes
back as a second one. In order:

1. The old master is stopped for good (its unit might start it again), or its host is declared dead.
2. The slave has taken in what was on its way; where its log ends then is written down on its host.
3. It stops. What the old master's log holds beyond that place, and nobody else, is counted and set aside
   (:mod:`rmqops.operations.observe.commit_log_tail`), and the old master gets the slave's settings.
4. It starts as master, and every NameServer names it.

Every step may be interrupted, and is done once more by the same command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rmqops.errors import OperationFailed, RmqopsError, Unsafe, UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Group, Instance, Topology
from rmqops.operations.change import playbook
from rmqops.operations.change.playbook import Listener
from rmqops.operations.hosts import facts
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.observe import canary, commit_log_tail, health, status
from rmqops.operations.observe.commit_log_tail import CommitLogTail
from rmqops.operations.observe.status import Answers, Status
from rmqops.operations.plan import mastership, trees
from rmqops.operations.plan.mastership import SLAVE, Role
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.codes import MASTER_ID
from rmqops.system import event_loop
from rmqops.transport.base import check, transport_for

Say = Callable[[str], None]

NAMED_WITHIN = 120.0
"""Seconds for every NameServer to name the new master; it registers at once when it starts."""
LEVEL_WITHIN = 60.0
REFUSE_SENDS = 300.0
"""Seconds for which a master that is to go refuses to store; a broker goes on by itself when they have passed."""
SETTLED = 1.0
"""Seconds in which a log must not grow to be taken as finished."""

_RECORD = "promoted"
"""In the instance's ``run``: where its log ended when it was made master, in whose stead, and ``pending`` until
what the other's log holds beyond that place has been set aside."""

_READ = f'cat "$1/run/{_RECORD}" 2>/dev/null || :'
_FORGET = f'rm -f "$1/run/{_RECORD}"'


@dataclass(frozen=True)
class RoleChange:
    """What is done to one member."""

    instance: Instance
    before: Role | None
    """None where its host cannot be asked."""
    after: Role


@dataclass(frozen=True)
class PromotionPlan:
    """A change of roles, looked into and allowed."""

    topology: Topology
    group: Group
    up: RoleChange
    """Becomes master."""
    down: RoleChange
    """Was master, and becomes a slave."""
    gone: bool
    """The old master's host is dead, and nothing is done there."""
    began: int | None = None
    """Where the new master's log ended, if an earlier run has written that down and not come to the old one's."""

    running: bool = True
    """Whether the one that becomes master runs, as what its file says."""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        there = self.gone or (self.down.before == self.down.after and self.began is None)
        return self.running and self.up.before == self.up.after and there

    @property
    def resumed(self) -> bool:
        """Whether an earlier run has stopped the one that becomes master, and came no further."""
        return not self.running and self.began is not None and self.up.before != self.up.after

    def lines(self) -> list[str]:
        """Say what is done, in order."""
        up, down = self.up.instance.name, self.down.instance.name
        left = "is left alone: its host is dead" if self.gone else f"gets {self.down.after}, and stays stopped"
        return [
            f"{up}: {self.up.before} -> {self.up.after}, and is restarted",
            f"{down}: {left}",
            *([] if self.gone else [f"{down}: what only its log holds is set aside on its host, and kept"]),
        ]


@dataclass(frozen=True)
class Promotion:
    """What came of it."""

    tail: CommitLogTail | None
    """What the old master's log held that the new one's did not; None when nobody looked."""
    status: Status


def find(topology: Topology, name: str) -> tuple[Group, Instance]:
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


def prepare(topology: Topology, name: str, gone: Collection[str] = ()) -> PromotionPlan:
    """Find out what a promotion would do, and whether it may be done; touches nothing.

    Args:
        topology: The cluster.
        name: The slave that is to be master.
        gone: Members whose hosts are dead, as a person says.

    Raises:
        UsageError: there is no such broker, or somebody of no use is said to be gone.
        Unsafe: the master lives or may live, a host cannot be asked, or another slave holds more.
        OperationFailed: the slave is not deployed or does not run.
    """
    group, member = find(topology, name)
    found, answers = _look(topology, group, gone)
    others = [one for one in group.members if one != member]
    old = _old_master(member, others, found)
    mine = mastership.role_on_host(found[member.name]) if member.name in found else None
    if mine is None:
        raise OperationFailed(f"{name} is not deployed, or its host cannot be asked")
    again = mine.master
    before = mastership.role_on_host(found[old.name]) if old.name in found else None
    began = _read_record(member)[0]
    up_role = mine if again else Role(MASTER_ID, _master_word(topology, old, before))
    down_role = Role(_free_number(member, old, others, found, again=again), SLAVE)
    todo = PromotionPlan(
        topology,
        group,
        RoleChange(member, mine, up_role),
        RoleChange(old, before, down_role),
        old.name in gone,
        began,
        found[member.name].alive,
    )
    _refuse_living(topology, todo, found, answers)
    if not again and not todo.resumed:
        _refuse_behind(topology, member, [one for one in others if one != old], answers, gone)
    return todo


def _look(topology: Topology, group: Group, gone: Collection[str]) -> tuple[dict[str, Facts], Answers]:
    names = {member.name for member in group.members}
    if strangers := sorted(set(gone) - names):
        raise UsageError(
            f"{', '.join(strangers)} is not in {group.name}", remedy=f"it has {', '.join(sorted(names))}"
        )
    found, errors = facts.survey([member for member in group.members if member.name not in gone])
    if errors:
        raise Unsafe(
            f"{', '.join(errors)} cannot be asked, and may be running",
            detail="\n".join(errors.values()),
            remedy="see to its host; only if that is dead and stays so, give --gone with the name",
        )
    return found, status.hear(topology)


def _old_master(member: Instance, others: Sequence[Instance], found: Mapping[str, Facts]) -> Instance:
    """Return the master by the files; else the one that an earlier run replaced, or whose host is gone."""
    by_file = [one for one in others if (role := _held(found, one)) is not None and role.master]
    if by_file:
        return by_file[0]
    _, recorded = _read_record(member)
    named = [one for one in others if one.name == recorded]
    absent = [one for one in others if one.name not in found]
    by_inventory = [one for one in others if mastership.role_in_inventory(one).master]
    mine = _held(found, member)
    first = (named, absent) if mine is not None and mine.master else (absent, named)
    for candidates in (*first, by_inventory):
        if len(candidates) == 1:
            return candidates[0]
    raise Unsafe(f"nobody knows who was master of {member.group} before", remedy="see rmqops status")


def _held(found: Mapping[str, Facts], one: Instance) -> Role | None:
    return mastership.role_on_host(found[one.name]) if one.name in found else None


def _master_word(topology: Topology, old: Instance, before: Role | None) -> str:
    """Return how the group replicates: as its master did, else as the inventory says of its master."""
    if before is not None and before.master:
        return before.word
    group = next(group for group in topology.groups if group.name == old.group)
    return next(role.word for role in map(mastership.role_in_inventory, group.members) if role.master)


def _free_number(
    member: Instance, old: Instance, others: Sequence[Instance], found: Mapping[str, Facts], *, again: bool
) -> int:
    """Return the broker id that the old master gets: the one that the new one had."""
    mine = _held(found, member)
    if not again and mine is not None:
        return mine.number
    before = _held(found, old)
    if before is not None and not before.master:
        return before.number
    taken = {role.number for one in others if one != old and (role := _held(found, one)) is not None}
    candidates: list[int] = [mastership.role_in_inventory(one).number for one in (member, old)]
    candidates += range(1, len(others) + 2)
    return next(number for number in candidates if number != MASTER_ID and number not in taken)


def _refuse_living(topology: Topology, todo: PromotionPlan, found: Mapping[str, Facts], seen: Answers) -> None:
    """Refuse while the old master lives, unless all is done already and it lives as a slave."""
    old, name = todo.down.instance, todo.down.instance.name
    if todo.done and not todo.gone:
        return
    if name in found and found[name].alive:
        raise Unsafe(
            f"{name}, the master of {todo.group.name}, runs: two masters would take one another's place",
            remedy=f"to change masters all the same, rmqops stop {name} --inventory {topology.inventory} first",
        )
    if name in seen.runtimes:
        raise Unsafe(f"{name}, the master of {todo.group.name}, answers at {old.address}",
                     remedy="make sure that it is down")  # fmt: skip
    heard = [server for server in seen.routes if status.ids(old, seen).get(server) == MASTER_ID]
    if todo.gone and heard:
        raise Unsafe(
            f"{', '.join(heard)} heard from {name} within the last 120 s, so its host may be alive",
            remedy="a broker that is silent is dropped after 120 s: try again then",
        )


def _refuse_behind(
    topology: Topology, member: Instance, others: Sequence[Instance], seen: Answers, gone: Collection[str]
) -> None:
    """Refuse a slave that lacks what another slave has."""
    mine = seen.runtimes.get(member.name)
    if mine is None:
        raise Unsafe(f"{member.name} does not answer: {seen.errors.get(member.name)}",
                     remedy=f"rmqops start {member.name} --inventory {topology.inventory}")  # fmt: skip
    for other in others:
        if other.name in gone:
            continue
        theirs = seen.runtimes.get(other.name)
        if theirs is None:
            raise Unsafe(
                f"{other.name} does not answer, and may hold more than {member.name}",
                remedy=f"rmqops start {other.name}, or --gone {other.name} if its host is dead",
            )
        if theirs.log_max > mine.log_max:
            raise Unsafe(
                f"{other.name} holds {theirs.log_max - mine.log_max} bytes more than {member.name}",
                remedy=f"promote {other.name}",
            )


def perform(todo: PromotionPlan, *, log: Path, listener: Listener, say: Say) -> Promotion:
    """Do it.

    Raises:
        OperationFailed: a step failed; the same command goes on from there.
    """
    up, down, topology = todo.up.instance, todo.down.instance, todo.topology
    if todo.done:
        return Promotion(None, status.observe(topology))
    play = _Play(topology, log, listener)
    first = todo.up.before != todo.up.after
    if not todo.gone:
        say(f"making sure that {down.name} stays down")
        play.run("stop", down)
    began = todo.began
    if first:
        if began is None or not todo.resumed:
            began = settled(topology, up)
            _write_record(up, began, down, "pending")
        say(f"stopping {up.name}; its log ends at {began}")
        play.run("stop", up)
    tail = None
    if not todo.gone and began is not None:
        if first:
            _compare(up, down, began)
        # First, for with its files as they were it would be a master that lacks what is set aside.
        play.place(mastership.with_role(down, todo.down.after))
        tail = commit_log_tail.set_aside(down, began, transport_for(down))
        say(f"{down.name} held {tail.messages} messages, {tail.bytes} bytes, that {up.name} did not")
        _write_record(up, began, down, "settled")
    if first:
        play.place(mastership.with_role(up, todo.up.after))
    if first or not todo.running:
        say(f"starting {up.name} as master")
        play.run("start", up)
    say("waiting until every NameServer names it")
    seen = named(topology, todo.group, up)
    canary.send_and_read_back(topology, seen, [up.name])
    return Promotion(tail, seen)


def _compare(up: Instance, down: Instance, began: int) -> None:
    """Refuse where two logs that should be the same up to a place are not, right before it."""
    mine = commit_log_tail.count(up, began, transport_for(up))
    theirs = commit_log_tail.count(down, began, transport_for(down))
    if mine.messages:
        raise OperationFailed(
            f"the log of {up.name} is longer than the {began} bytes that were written down; no file was changed",
            remedy=f"rmqops start {up.name}, and then the same command once more",
        )
    if theirs.bytes and mine.before != theirs.before:
        raise OperationFailed(
            f"the logs of {up.name} and {down.name} differ before byte {began} already; no file was changed",
            remedy=f"start both again (rmqops start), and see why {up.name} was no copy of {down.name}",
        )


def settled(topology: Topology, instance: Instance) -> int:
    """Return where a broker's log ends once it has not grown for a moment.

    Raises:
        OperationFailed: it grows and grows, or the broker does not answer.
    """
    end, last = time.monotonic() + LEVEL_WITHIN, -1
    while time.monotonic() < end:
        found = status.hear(topology).runtimes.get(instance.name)
        if found is not None and found.log_max == last:
            return last
        last = -1 if found is None else found.log_max
        time.sleep(SETTLED)
    raise OperationFailed(f"the log of {instance.name} does not come to rest within {LEVEL_WITHIN:g} s")


def named(topology: Topology, group: Group, master: Instance) -> Status:
    """Wait until every NameServer that answers names a master, and return the status.

    Raises:
        OperationFailed: not in time; with the logs that explain it.
    """
    end = time.monotonic() + NAMED_WITHIN
    while True:
        seen = status.observe(topology)
        found = next(one for one in seen.groups if one.name == group.name)
        alive = {member.name for member in found.members if member.alive}
        if found.master == master.address and master.name in alive:
            return seen
        if time.monotonic() > end:
            raise OperationFailed(
                f"the NameServers do not name {master.name} within {NAMED_WITHIN:g} s",
                detail="\n".join([*seen.problems, *health.tails(topology, (master.name,))]),
            )
        time.sleep(health.INTERVAL)


def _write_record(instance: Instance, began: int, old: Instance, state: Literal["pending", "settled"]) -> None:
    content = f"{began} {old.name} {state}\n".encode()
    transport_for(instance).put(content, f"{instance.home}/run/{_RECORD}", 0o644)


def _read_record(instance: Instance) -> tuple[int | None, str]:
    """Return where its log ended when it was made master, None once that is settled; and in whose stead."""
    try:
        transport = transport_for(instance)
        words = check(transport.run(Command.shell(_READ, instance.home)), transport.host).stdout.split()
    except RmqopsError:
        return None, ""
    if len(words) != 3 or not words[0].isdecimal():
        return None, ""
    return int(words[0]) if words[2] == "pending" else None, words[1]


def forget(instance: Instance) -> None:
    """Remove the record of a promotion that was given back."""
    transport = transport_for(instance)
    check(transport.run(Command.shell(_FORGET, instance.home)), transport.host)


class _Play:
    """Runs the playbooks for one member at a time."""

    def __init__(self, topology: Topology, log: Path, listener: Listener) -> None:
        self._inventory = topology.inventory
        self._log = log
        self._listener = listener

    def run(self, name: str, instance: Instance) -> None:
        """Start or stop it."""
        playbook.run(
            name,
            self._inventory,
            log=self._log,
            listener=self._listener,
            variables={"rocketmq_restart": False},
            limit=[instance.name],
        )

    def place(self, instance: Instance) -> None:
        """Put its files in place, and start nothing."""
        playbook.run(
            "place",
            self._inventory,
            log=self._log,
            listener=self._listener,
            limit=[instance.name],
            rendered={instance.name: {file.path: file.content for file in trees.tree(instance)}},
        )


def prepare_undo(topology: Topology, name: str) -> PromotionPlan:
    """Find out whether the roles of a group can be given back as the inventory has them; touches nothing.

    Raises:
        UsageError: there is no such broker.
        Unsafe: it was not promoted, or the old master is not its slave, running.
        OperationFailed: a host cannot be asked.
    """
    group, member = find(topology, name)
    found, _ = _look(topology, group, ())
    old = next(one for one in group.members if mastership.role_in_inventory(one).master)
    if old == member:
        raise Unsafe(f"{name} is the master by the inventory", remedy="name the one that was promoted")
    mine, theirs = _held(found, member), _held(found, old)
    if mine is None or theirs is None:
        raise OperationFailed(f"{name} or {old.name} is not deployed")
    todo = PromotionPlan(
        topology,
        group,
        RoleChange(old, theirs, mastership.role_in_inventory(old)),
        RoleChange(member, mine, mastership.role_in_inventory(member)),
        gone=False,
        began=_read_record(member)[0],
    )
    if todo.done and found[member.name].alive and found[old.name].alive:
        return todo
    if mine.master and theirs.master:
        raise Unsafe(
            f"{name} and {old.name} both are deployed as master",
            remedy=f"rmqops stop {old.name}, then rmqops promote {name}, which makes it a slave, and start it",
        )
    if not found[old.name].alive:
        raise Unsafe(
            f"{old.name} does not run, so it has not what {name} took as master",
            remedy=f"rmqops start {old.name} --inventory {topology.inventory}: as a slave it catches up",
        )
    if mine.master and not found[member.name].alive:
        raise Unsafe(
            f"{name} is the master and does not run, so {old.name} may lack what it took",
            remedy=f"rmqops start {name}; or, if it cannot be started, rmqops promote {old.name}",
        )
    return todo


def undo(todo: PromotionPlan, *, log: Path, listener: Listener, say: Say) -> Promotion:
    """Give the roles back, with nothing lost: the one that goes refuses sends, the other copies the rest.

    Raises:
        OperationFailed: a step failed; the same command goes on from there.
    """
    old, member, topology = todo.up.instance, todo.down.instance, todo.topology
    play = _Play(topology, log, listener)
    if not (todo.up.before and todo.up.before.master):
        if todo.down.before and todo.down.before.master:
            _near(topology, member, old)
            say(f"{member.name} refuses sends, and {old.name} copies the rest")
            try:
                _fence(member, REFUSE_SENDS)
                _level(topology, member, old)
            except BaseException:
                with suppress(RmqopsError):  # it goes on by itself after a while
                    _fence(member, 0)
                raise
        say(f"stopping {member.name}")
        play.run("stop", member)
        end = settled(topology, old)
        tail = commit_log_tail.count(member, end, transport_for(member))
        if tail.messages:
            # Its own timers write as well (``ScheduleMessageService``): it must be master again to hand that over.
            play.place(mastership.with_role(member, Role(MASTER_ID, todo.up.after.word)))
            play.run("start", member)
            raise OperationFailed(
                f"{member.name} took {tail.messages} messages more in its last moment, and is master again",
                remedy="the same command once more",
            )
        play.place(mastership.with_role(member, todo.down.after))
        play.place(mastership.with_role(old, todo.up.after))
    else:
        play.place(mastership.with_role(member, todo.down.after))
    if health.masters_by_group(topology)[todo.group.name] != old.address:
        say(f"restarting {old.name} as master")
        play.run("restart", old)
    named(topology, todo.group, old)
    say(f"starting {member.name} as slave")
    play.run("start", member)
    forget(member)
    say("waiting for health")
    seen = health.wait(topology, only=[one.name for one in todo.group.members])
    canary.send_and_read_back(topology, seen, [old.name])
    return Promotion(None, seen)


def _fence(master: Instance, seconds: float) -> None:
    """Have a master refuse sends for some time (``SendMessageProcessor``), or no more; the rest goes on."""
    until = int((time.time() + seconds) * 1000) if seconds else 0

    async def tell() -> None:
        async with Client() as client:
            await Admin(client).update_broker_config(
                master.address, {"startAcceptSendRequestTimeStamp": str(until)}
            )

    event_loop.run(tell())


def _near(topology: Topology, master: Instance, slave: Instance) -> None:
    """Wait until a slave lacks little, before sends are refused for the sake of it.

    A broker that has just started does not say at once where its log ends (``Admin.runtime_info``).

    Raises:
        OperationFailed: it lacks much still, or does not answer.
    """
    end = time.monotonic() + LEVEL_WITHIN
    while True:
        seen = status.hear(topology)
        ends = [seen.runtimes[one.name].log_max for one in (master, slave) if one.name in seen.runtimes]
        if len(ends) == 2 and ends[0] - ends[1] <= status.MAX_LAG:
            return
        if time.monotonic() > end:
            told = f"lacks {ends[0] - ends[1]} bytes" if len(ends) == 2 else f"does not answer: {seen.errors}"
            raise OperationFailed(
                f"{slave.name} {told}; nothing was changed", remedy="try again when it has caught up"
            )
        time.sleep(SETTLED)


def _level(topology: Topology, master: Instance, slave: Instance) -> None:
    """Wait until a slave's log ends where its master's does, and neither grows.

    Raises:
        OperationFailed: not in time.
    """
    end, last = time.monotonic() + LEVEL_WITHIN, -1
    while time.monotonic() < end:
        seen = status.hear(topology).runtimes
        ends = {seen[one.name].log_max for one in (master, slave) if one.name in seen}
        if ends == {last}:
            return
        last = ends.pop() if len(ends) == 1 else -1
        time.sleep(SETTLED)
    raise OperationFailed(f"{slave.name} did not catch up with {master.name} within {LEVEL_WITHIN:g} s")

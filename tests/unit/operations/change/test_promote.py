"""A promotion and its undoing against a scripted fleet: each step, each refusal, and each interruption."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rmqops.errors import OperationFailed, RmqopsError, Unsafe, UsageError
from rmqops.operations.change import audit, recipe
from rmqops.operations.change.fleet import files_of
from rmqops.operations.change.promote import Promote, PromotionPlan, UndoPromotion, replication
from rmqops.operations.change.recipe import Completed, Consent, Verb
from rmqops.operations.observe.commit_log_tail import CommitLogTail
from rmqops.operations.plan import mastership
from rmqops.operations.plan.mastership import Role
from tests.support.interrupting import interrupted_at_each_moment
from tests.support.scripted_fleet import MESSAGE, ScriptedFleet

MASTER, SLAVE = "broker-a-0", "broker-a-1"
COPIED, TAKEN = 8 * MESSAGE, 10 * MESSAGE
"""Bytes that the slave had when the master died, and that the master had taken."""

Done = Completed[PromotionPlan, CommitLogTail | None]


def perform(verb: Verb[PromotionPlan, CommitLogTail | None], scripted: ScriptedFleet) -> Done:
    return recipe.perform(verb, Consent(lambda plan: None), listener=lambda event: None, say=scripted.say)


def promote(scripted: ScriptedFleet, *gone: str) -> Done:
    return perform(Promote(scripted.fleet, SLAVE, gone), scripted)


def undo(scripted: ScriptedFleet) -> Done:
    return perform(UndoPromotion(scripted.fleet, SLAVE), scripted)


def roles(scripted: ScriptedFleet) -> dict[str, Role | None]:
    """Return what the files of the group say."""
    settings = {name: scripted.instances[name].settings for name in (MASTER, SLAVE)}
    return {name: Role(int(each["brokerId"]), each["brokerRole"]) for name, each in settings.items()}


def record(scripted: ScriptedFleet) -> str:
    """Return the record on the new master's host."""
    path = f"{scripted.instances[SLAVE].instance.home}/promoted"
    return scripted.transport.files.get(path, (b"", 0))[0].decode().strip()


def fallen(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """A deployed fleet whose first group's master took more than its slave had copied, and died."""
    made = new_fleet()
    made.deploy()
    made.instances[MASTER].log_end, made.instances[SLAVE].log_end = TAKEN, COPIED
    made.kill(MASTER)
    made.moments.clear()
    return made


def promoted(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """One whose slave was promoted, has taken more since, and which the old master copies as a slave."""
    made = fallen(new_fleet)
    promote(made)
    made.instances[SLAVE].log_end += 5 * MESSAGE
    made.start(MASTER)
    made.moments.clear()
    return made


@pytest.fixture
def scripted(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """A fleet whose first group's master died."""
    return fallen(new_fleet)


def test_the_slave_is_master_and_what_it_lacks_is_set_aside(scripted: ScriptedFleet) -> None:
    done = promote(scripted)
    assert done.result is not None
    assert (done.result.messages, done.result.bytes) == (2, TAKEN - COPIED)
    assert "/not-copied/" in done.result.aside
    assert roles(scripted) == {MASTER: Role(1, "SLAVE"), SLAVE: Role(0, "ASYNC_MASTER")}
    assert scripted.masters(scripted.topology.groups[0]) == [SLAVE]
    assert MASTER not in scripted.alive()
    assert scripted.instances[MASTER].log_end == COPIED
    assert record(scripted) == f"{COPIED} {MASTER} complete"
    assert done.status is not None
    assert done.status.groups[0].master == scripted.topology.instance(SLAVE).address
    assert ("rmqops-canary", 0) in scripted.instances[SLAVE].queues
    (entry,) = audit.entries()
    assert entry.plan == [
        f"{SLAVE}: SLAVE, broker id 1 -> ASYNC_MASTER, broker id 0, and is restarted",
        f"{MASTER}: gets SLAVE, broker id 1, and stays stopped",
        f"{MASTER}: what only its log holds is set aside on its host, and kept",
    ]


def test_no_log_is_touched_before_its_end_is_written_down_and_no_master_before_the_other_is_a_slave(
    scripted: ScriptedFleet,
) -> None:
    promote(scripted)
    acts = [text for text in scripted.moments if not text.startswith("say ")]
    assert acts == [
        "lock",
        "ask hosts",
        f"stop {MASTER}",
        "write promoted",
        f"stop {SLAVE}",
        f"count {SLAVE}",
        f"count {MASTER}",
        f"place {MASTER}",
        f"set aside {MASTER}",
        f"place {SLAVE}",
        "write promoted",
        f"start {SLAVE}",
    ]


def test_once_more_there_is_nothing_to_do(scripted: ScriptedFleet) -> None:
    promote(scripted)
    scripted.moments.clear()
    done = promote(scripted)
    assert (done.plan.done, done.plan.steps, done.result) == (True, (), None)
    assert scripted.moments == ["lock", "ask hosts"]
    assert audit.entries()[0].plan == []


def test_one_that_is_interrupted_at_any_moment_is_finished_by_the_same_command(
    new_fleet: Callable[..., ScriptedFleet],
) -> None:
    for scripted in interrupted_at_each_moment(lambda: fallen(new_fleet), promote, moments=40):
        assert audit.entries()[0].outcome == "interrupted"
        assert not scripted.lock_held()
        promote(scripted)
        assert scripted.masters(scripted.topology.groups[0]) == [SLAVE], scripted.moments
        assert roles(scripted) == {MASTER: Role(1, "SLAVE"), SLAVE: Role(0, "ASYNC_MASTER")}
        assert (scripted.instances[MASTER].log_end, record(scripted)) == (COPIED, f"{COPIED} {MASTER} complete")
        assert promote(scripted).plan.done


def test_a_master_whose_host_is_gone_is_left_alone_and_done_with_when_it_is_back(scripted: ScriptedFleet) -> None:
    done = promote(scripted, MASTER)
    assert done.plan.steps[-1] == f"{MASTER}: is left alone: its host is dead"
    assert done.result is None
    assert not [text for text in scripted.moments if text.endswith(MASTER)]
    assert scripted.masters(scripted.topology.groups[0]) == [SLAVE]
    assert record(scripted) == f"{COPIED} {MASTER} pending"
    back = promote(scripted)
    assert back.result is not None
    assert back.result.messages == 2
    assert roles(scripted)[MASTER] == Role(1, "SLAVE")


def _lives(scripted: ScriptedFleet) -> None:
    scripted.start(MASTER)


def _answers_elsewhere(scripted: ScriptedFleet) -> None:
    scripted.start(MASTER)
    scripted.instances[MASTER].files = files_of(scripted.instances[MASTER].instance)


def _slave_down(scripted: ScriptedFleet) -> None:
    scripted.kill(SLAVE)


def _not_deployed(scripted: ScriptedFleet) -> None:
    scripted.instances[SLAVE].mark = None


@pytest.mark.parametrize(
    ("prepare", "gone", "error", "says"),
    [
        (_lives, (), Unsafe, "runs: two masters would take"),
        (_answers_elsewhere, (MASTER,), Unsafe, f"{MASTER}, the master of broker-a, answers at"),
        (_slave_down, (), Unsafe, f"{SLAVE} does not answer"),
        (_not_deployed, (), OperationFailed, "is not deployed"),
        (lambda scripted: None, ("broker-b-0",), UsageError, "broker-b-0 is not in broker-a"),
    ],
)
def test_what_must_not_be_done_is_refused_and_nothing_is_touched(
    scripted: ScriptedFleet,
    prepare: Callable[[ScriptedFleet], None],
    gone: tuple[str, ...],
    error: type[RmqopsError],
    says: str,
) -> None:
    prepare(scripted)
    before = roles(scripted)
    with pytest.raises(error, match=says):
        promote(scripted, *gone)
    assert set(scripted.moments) <= {"lock", "ask hosts"}
    assert roles(scripted) == before


def test_logs_that_differ_before_the_place_are_no_copies(scripted: ScriptedFleet) -> None:
    scripted.same_logs = False
    with pytest.raises(OperationFailed, match=f"differ before byte {COPIED} already; no file was changed"):
        promote(scripted)
    assert roles(scripted) == {MASTER: Role(0, "ASYNC_MASTER"), SLAVE: Role(1, "SLAVE")}


def test_a_log_that_grew_while_it_was_stopped_is_noticed(scripted: ScriptedFleet) -> None:
    def grow() -> None:
        scripted.instances[SLAVE].log_end += MESSAGE

    scripted.before[f"stop {SLAVE}"] = grow
    with pytest.raises(OperationFailed, match="is longer than the 800 bytes that were written down"):
        promote(scripted)
    scripted.start(SLAVE)
    assert promote(scripted).plan.new_master.instance.name == SLAVE


def test_a_log_that_never_rests_is_given_up(scripted: ScriptedFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "LEVEL_WITHIN", 0.05)
    look = scripted._copy

    def grow() -> None:
        look()
        scripted.instances[SLAVE].log_end += MESSAGE

    monkeypatch.setattr(scripted, "_copy", grow)
    with pytest.raises(OperationFailed, match=f"the log of {SLAVE} at rest: not within"):
        promote(scripted)
    assert SLAVE in scripted.alive()


def test_who_is_not_named_in_time_fails_with_its_log(
    scripted: ScriptedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "NAMED_WITHIN", 0.05)
    scripted.before["say waiting until every NameServer names it"] = lambda: scripted.kill(SLAVE)
    with pytest.raises(OperationFailed, match=f"every NameServer names {SLAVE}: not within") as raised:
        promote(scripted)
    assert str(raised.value.detail).endswith(":\nthe end of its log")


def test_the_roles_go_back_with_everything_that_was_taken(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = promoted(new_fleet)
    done = undo(scripted)
    assert roles(scripted) == {MASTER: Role(0, "ASYNC_MASTER"), SLAVE: Role(1, "SLAVE")}
    assert scripted.masters(scripted.topology.groups[0]) == [MASTER]
    assert scripted.instances[MASTER].log_end >= COPIED + 5 * MESSAGE
    assert (scripted.refusing, record(scripted)) == (set(), "")
    assert done.status is not None
    assert done.status.healthy
    assert ("rmqops-canary", 0) in scripted.instances[MASTER].queues
    assert audit.entries()[0].plan == [
        f"{SLAVE}: refuses sends until {MASTER} has everything",
        f"{SLAVE}: ASYNC_MASTER, broker id 0 -> SLAVE, broker id 1, and is restarted",
        f"{MASTER}: SLAVE, broker id 1 -> ASYNC_MASTER, broker id 0, and is restarted",
    ]
    acts = [text for text in scripted.moments if not text.startswith("say ")]
    assert acts == [
        "lock",
        "ask hosts",
        "write promoted",
        f"stop {SLAVE}",
        f"count {SLAVE}",
        f"place {SLAVE}",
        f"place {MASTER}",
        f"restart {MASTER}",
        f"start {SLAVE}",
        "remove record",
    ]


def test_an_undoing_that_is_interrupted_at_any_moment_is_finished_by_the_same_command(
    new_fleet: Callable[..., ScriptedFleet],
) -> None:
    for scripted in interrupted_at_each_moment(lambda: promoted(new_fleet), undo, moments=40):
        assert scripted.refusing == set(), "a master that stays takes sends again"
        undo(scripted)
        assert scripted.masters(scripted.topology.groups[0]) == [MASTER], scripted.moments
        assert roles(scripted) == {MASTER: Role(0, "ASYNC_MASTER"), SLAVE: Role(1, "SLAVE")}
        assert scripted.alive() == set(scripted.instances)
        assert record(scripted) == ""


def test_what_was_taken_in_the_last_moment_makes_it_master_again(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = promoted(new_fleet)

    def a_timer_writes() -> None:
        scripted.copying = False
        scripted.instances[SLAVE].log_end += MESSAGE

    scripted.before[f"stop {SLAVE}"] = a_timer_writes
    with pytest.raises(OperationFailed, match="took 1 messages more in its last moment, and is master again"):
        undo(scripted)
    assert scripted.masters(scripted.topology.groups[0]) == [SLAVE]
    scripted.copying = True
    undo(scripted)
    assert scripted.masters(scripted.topology.groups[0]) == [MASTER]


def test_one_that_does_not_get_level_is_given_up_and_takes_sends_again(
    new_fleet: Callable[..., ScriptedFleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "LEVEL_WITHIN", 0.05)
    scripted = promoted(new_fleet)
    scripted.copying = False
    with pytest.raises(OperationFailed, match=f"{MASTER} level with {SLAVE}: not within"):
        undo(scripted)
    assert (scripted.refusing, scripted.masters(scripted.topology.groups[0])) == (set(), [SLAVE])


def test_one_that_lacks_much_is_not_waited_for_with_sends_refused(
    new_fleet: Callable[..., ScriptedFleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "LEVEL_WITHIN", 0.05)
    scripted = promoted(new_fleet)
    scripted.copying = False
    scripted.instances[SLAVE].log_end += 1 << 30
    with pytest.raises(OperationFailed, match=r"lacks \d+ bytes; nothing was changed"):
        undo(scripted)
    assert not [text for text in scripted.moments if "refuses sends" in text]


def _old_master_down(scripted: ScriptedFleet) -> None:
    scripted.kill(MASTER)


def _promoted_down(scripted: ScriptedFleet) -> None:
    scripted.kill(SLAVE)


def _both_masters(scripted: ScriptedFleet) -> None:
    scripted.kill(MASTER)
    instance = scripted.topology.instance(MASTER)
    scripted.instances[MASTER].files = files_of(mastership.with_role(instance, Role(0, "ASYNC_MASTER")))


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (_old_master_down, f"{MASTER} does not run, so it has not what {SLAVE} took"),
        (_promoted_down, f"{SLAVE} is the master and does not run"),
        (_both_masters, "both are deployed as master"),
    ],
)
def test_roles_are_not_given_back_to_one_that_may_lack_something(
    new_fleet: Callable[..., ScriptedFleet], prepare: Callable[[ScriptedFleet], None], says: str
) -> None:
    scripted = promoted(new_fleet)
    prepare(scripted)
    with pytest.raises(Unsafe, match=says):
        undo(scripted)
    assert scripted.moments == ["lock", "ask hosts"]


def test_the_master_by_the_inventory_was_not_promoted(scripted: ScriptedFleet) -> None:
    with pytest.raises(Unsafe, match="is the master by the inventory"):
        perform(UndoPromotion(scripted.fleet, MASTER), scripted)

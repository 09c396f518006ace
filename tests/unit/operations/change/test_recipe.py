"""The recipe that every change is carried out by: when it asks, when it locks, and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rmqops.errors import Unsafe
from rmqops.operations.change import audit, lock, recipe
from rmqops.operations.change.deploy import Deploy
from rmqops.operations.change.recipe import Completed, Consent
from rmqops.operations.plan.plan import Plan
from tests.support.scripted_fleet import ScriptedFleet

DOWN = "broker-a-1"


@pytest.fixture
def scripted(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """A deployed fleet with one instance that is down."""
    made = new_fleet()
    made.deploy()
    made.kill(DOWN)
    return made


def nothing(_plan: Plan) -> None:
    """Show nothing; say yes."""


def perform(scripted: ScriptedFleet, consent: Consent[Plan]) -> Completed[Plan, None]:
    verb = Deploy(scripted.fleet, scripted.topology.instances, scripted.artifact)
    return recipe.perform(verb, consent, listener=lambda event: None, say=scripted.say)


def test_a_forgotten_prompt_holds_no_lock(scripted: ScriptedFleet) -> None:
    def somebody_else_works_meanwhile(_plan: Plan) -> None:
        assert not scripted.lock_held()
        with lock.held(scripted.topology, "restart", scripted.fleet.transports):
            assert scripted.lock_held()
        scripted.moments.clear()

    perform(scripted, Consent(nothing, somebody_else_works_meanwhile))
    assert scripted.moments == ["lock", "ask hosts", f"site {DOWN}", "say waiting for health"]


def test_the_plan_is_shown_before_the_question_and_nothing_is_touched_before_the_answer(
    scripted: ScriptedFleet,
) -> None:
    order: list[str] = []

    def confirm(plan: Plan) -> None:
        order.append("asked")
        assert scripted.moments == ["ask hosts"]
        assert plan.steps == (f"{DOWN}: start",)
        assert audit.entries()[0].outcome == "running"

    perform(scripted, Consent(lambda plan: order.append("shown"), confirm))
    assert order == ["shown", "asked"]
    assert scripted.moments[:3] == ["ask hosts", "lock", "ask hosts"]


def test_who_says_yes_beforehand_has_the_hosts_asked_once_under_the_lock(scripted: ScriptedFleet) -> None:
    shown: list[Plan] = []
    completed = perform(scripted, Consent(shown.append))
    assert shown == [completed.plan]
    assert scripted.moments[:2] == ["lock", "ask hosts"]
    assert scripted.moments.count("ask hosts") == 1


@pytest.mark.parametrize(
    ("meanwhile", "says"),
    [
        (lambda fleet: fleet.start(DOWN), [f"- {DOWN}: start"]),
        (lambda fleet: fleet.kill("namesrv-1"), ["+ namesrv-1: start"]),
    ],
)
def test_a_plan_that_is_not_the_one_that_was_confirmed_is_not_carried_out(
    scripted: ScriptedFleet, meanwhile: Callable[[ScriptedFleet], None], says: list[str]
) -> None:
    with pytest.raises(Unsafe, match="has changed since the plan was shown; nothing was touched") as raised:
        perform(scripted, Consent(nothing, lambda plan: meanwhile(scripted)))
    assert raised.value.exit_code == 5
    assert str(raised.value.detail).splitlines() == says
    assert "again" in str(raised.value.remedy)
    assert scripted.moments == ["ask hosts", "lock", "ask hosts"]
    assert not scripted.lock_held()
    (entry,) = audit.entries()
    assert (entry.outcome, entry.plan) == ("failed", [f"{DOWN}: start"])


def test_what_is_not_confirmed_is_not_done(scripted: ScriptedFleet) -> None:
    def no(_plan: Plan) -> None:
        raise Unsafe("not confirmed; nothing was touched")

    with pytest.raises(Unsafe, match="not confirmed"):
        perform(scripted, Consent(nothing, no))
    assert scripted.moments == ["ask hosts"]
    assert audit.entries()[0].outcome == "failed"


def test_nobody_is_asked_about_nothing(scripted: ScriptedFleet) -> None:
    def never(_plan: Plan) -> None:
        raise AssertionError("there is nothing to ask about")

    scripted.start(DOWN)
    perform(scripted, Consent(never, never))
    assert audit.entries()[0].outcome == "done"


def test_who_works_on_the_cluster_already_is_named(scripted: ScriptedFleet) -> None:
    with (
        lock.held(scripted.topology, "restart", scripted.fleet.transports),
        pytest.raises(Unsafe, match="somebody works on cluster"),
    ):
        perform(scripted, Consent(nothing))
    assert scripted.moments == ["lock", "lock"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError])
@pytest.mark.parametrize("moment", range(4))
def test_an_interruption_is_on_record_however_it_comes(
    scripted: ScriptedFleet, interruption: type[BaseException], moment: int
) -> None:
    scripted.interruption, scripted.interrupt_at = interruption, moment
    with pytest.raises(interruption):
        perform(scripted, Consent(nothing))
    assert len(scripted.moments) == moment + 1
    assert not scripted.lock_held()
    assert [entry.outcome for entry in audit.entries()] == ["interrupted"]

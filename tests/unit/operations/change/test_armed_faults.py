"""Nothing is changed while a fault of a drill may be in force; and a lock that was lost ends a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rmqops.errors import OperationFailed, Unsafe
from rmqops.operations.change import lock, recipe
from rmqops.operations.change.deploy import Deploy
from rmqops.operations.change.lifecycle import Restart, Start, Stop
from rmqops.operations.change.promote import Promote, UndoPromotion
from rmqops.operations.change.recipe import Consent, Verb
from rmqops.operations.change.scale_out import ScaleOut
from tests.support.scripted_fleet import ScriptedFleet

VERBS: dict[str, Callable[[ScriptedFleet], Verb[Any, Any]]] = {
    "deploy": lambda it: Deploy(it.fleet, it.topology.instances, it.artifact),
    "start": lambda it: Start(it.fleet, it.topology.instances),
    "stop": lambda it: Stop(it.fleet, it.topology.instances),
    "restart": lambda it: Restart(it.fleet, it.topology.instances),
    "promote": lambda it: Promote(it.fleet, "broker-a-1"),
    "promote --undo": lambda it: UndoPromotion(it.fleet, "broker-a-1"),
    "scale-out": lambda it: ScaleOut(it.fleet, (it.topology.groups[0],), (), it.artifact),
}


@pytest.fixture
def scripted(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    made = new_fleet()
    made.deploy()
    return made


def perform(verb: Verb[Any, Any], scripted: ScriptedFleet) -> None:
    recipe.perform(verb, Consent(lambda plan: None), listener=lambda event: None, say=scripted.say)


@pytest.mark.parametrize("verb", VERBS)
def test_a_fault_that_may_be_in_force_forbids_every_change(verb: str, scripted: ScriptedFleet) -> None:
    scripted.instances["broker-a-0"].heals.add("20261201T000000Z-kill-master-1-1")
    with pytest.raises(Unsafe, match="a fault of a drill may be in force; nothing was touched") as raised:
        perform(VERBS[verb](scripted), scripted)
    detail = (
        "broker-a-0: the heal of fault 20261201T000000Z-kill-master-1-1 lies armed since 2026-12-01 00:00:00 UTC"
    )
    assert raised.value.detail == detail
    assert f"rmqops chaos heal --inventory {scripted.topology.inventory}" in str(raised.value.remedy)
    assert set(scripted.moments) <= {"lock", "ask hosts"}
    assert scripted.alive() == set(scripted.instances)


def test_a_change_whose_lock_was_lost_ends_before_its_next_step(
    scripted: ScriptedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = 0

    def check(_: lock.Lock) -> None:
        nonlocal checks
        checks += 1
        if checks == 3:
            raise OperationFailed("the lock was broken")

    monkeypatch.setattr(lock.Lock, "check", check)
    with pytest.raises(OperationFailed, match="was broken"):
        perform(VERBS["restart"](scripted), scripted)
    assert [moment for moment in scripted.moments if moment.startswith("restart ")] == [
        "restart namesrv-1",
        "restart namesrv-2",
    ]

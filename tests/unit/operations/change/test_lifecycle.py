"""Start, stop and restart against a scripted fleet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from rmqops.errors import OperationFailed, Unsafe
from rmqops.operations.change import audit, recipe
from rmqops.operations.change.fleet import files_of
from rmqops.operations.change.lifecycle import ProcessPlan, ProcessVerb, Restart, Start, Stop
from rmqops.operations.change.recipe import Completed, Consent
from rmqops.operations.observe import health
from rmqops.operations.plan import mastership
from rmqops.operations.plan.mastership import Role
from tests.support.clusters import dledger_inventory
from tests.support.interrupting import interrupted_at_each_moment
from tests.support.scripted_fleet import ScriptedFleet


def perform(verb: type[ProcessVerb], scripted: ScriptedFleet, *names: str) -> Completed[ProcessPlan, None]:
    made = verb(scripted.fleet, scripted.topology.select(names))
    return recipe.perform(made, Consent(lambda plan: None), listener=lambda event: None, say=scripted.say)


@pytest.fixture
def scripted(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """A deployed fleet of two groups without elections."""
    made = new_fleet()
    made.deploy()
    return made


def test_all_are_stopped_and_started_again_and_health_is_waited_for(scripted: ScriptedFleet) -> None:
    stopped = perform(Stop, scripted)
    assert (scripted.alive(), stopped.status) == (set(), None)
    started = perform(Start, scripted)
    assert started.status is not None
    assert started.status.healthy
    assert scripted.alive() == set(scripted.instances)
    assert [entry.plan[0] for entry in audit.entries()] == ["start namesrv-1", "stop namesrv-1"]


def test_some_are_not_waited_for(scripted: ScriptedFleet) -> None:
    perform(Stop, scripted, "broker-a")
    assert perform(Start, scripted, "broker-a-1").status is None
    assert "broker-a-0" not in scripted.alive()


@pytest.mark.parametrize("verb", [Start, Stop, Restart])
def test_what_was_not_deployed_is_named_and_nothing_is_done(
    verb: type[ProcessVerb], new_fleet: Callable[..., ScriptedFleet]
) -> None:
    scripted = new_fleet()
    scripted.deploy(["namesrv-1", "broker-a-0"])
    with pytest.raises(OperationFailed, match="namesrv-2, broker-a-1, broker-b-0, broker-b-1 are not deployed"):
        perform(verb, scripted)
    with pytest.raises(OperationFailed, match="broker-a-1 is not deployed"):
        perform(verb, scripted, "broker-a-1")
    assert scripted.moments == ["lock", "ask hosts"] * 2


@pytest.mark.parametrize("verb", [Start, Restart])
def test_a_second_master_is_not_started_and_hosts_are_asked_once(
    verb: type[ProcessVerb], scripted: ScriptedFleet
) -> None:
    scripted.kill("broker-a-0")
    scripted.kill("broker-a-1")
    promoted = mastership.with_role(scripted.topology.instance("broker-a-1"), Role(0, "ASYNC_MASTER"))
    scripted.instances["broker-a-1"].files = files_of(promoted)
    scripted.start("broker-a-1")
    with pytest.raises(Unsafe, match="two masters"):
        perform(verb, scripted, "broker-a-0")
    assert scripted.moments == ["lock", "ask hosts"]
    perform(Stop, scripted, "broker-a-0")


def test_a_restart_goes_through_nameservers_followers_and_masters(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet(dledger_inventory, "4.5.2")
    scripted.deploy()
    perform(Restart, scripted)
    order = ["namesrv-1", "namesrv-2", "namesrv-3", "broker-a-1", "broker-a-2", "broker-a-0"]
    steps = [step for name in order for step in (f"say restarting {name}", f"restart {name}")]
    assert scripted.moments == ["lock", "ask hosts", *steps]


def test_a_restart_ends_where_one_does_not_come_back(scripted: ScriptedFleet) -> None:
    scripted.fails = {"restart broker-a-1"}
    with pytest.raises(OperationFailed, match="broker-a-1"):
        perform(Restart, scripted, "broker-a")
    assert scripted.moments[-1] == "restart broker-a-1"
    assert audit.entries()[0].outcome == "failed"


def test_a_restart_goes_no_further_while_the_cluster_is_not_healthy(
    scripted: ScriptedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DEADLINE", 0.05)
    scripted.before["say restarting broker-a-1"] = lambda: scripted.kill("namesrv-2")
    with pytest.raises(OperationFailed, match="is not healthy after"):
        perform(Restart, scripted, "broker-a")
    assert [text for text in scripted.moments if text.startswith("restart")] == ["restart broker-a-1"]


@pytest.mark.parametrize("verb", [Start, Stop, Restart])
def test_one_that_is_interrupted_at_any_moment_is_finished_by_the_same_command(
    verb: type[ProcessVerb], new_fleet: Callable[..., ScriptedFleet]
) -> None:
    def make() -> ScriptedFleet:
        made = new_fleet()
        made.deploy()
        if verb is Start:
            perform(Stop, made)
            made.moments.clear()
        return made

    for scripted in interrupted_at_each_moment(make, partial(perform, verb), moments=40):
        assert not scripted.lock_held()
        perform(verb, scripted)
        assert scripted.alive() == (set() if verb is Stop else set(scripted.instances))

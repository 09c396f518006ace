"""What destroy removes, and what it leaves alone, against a scripted fleet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from rmqops.cli.fleet_change import refuse_other_name
from rmqops.errors import HealFailed, Unsafe
from rmqops.model.topology import Instance
from rmqops.operations.change import audit, recipe
from rmqops.operations.change.destroy import Destroy, Removal
from rmqops.operations.change.recipe import Completed, Consent
from rmqops.system.progress import Say
from tests.support.interrupting import interrupted_at_each_moment
from tests.support.scripted_fleet import ScriptedFleet


def perform(scripted: ScriptedFleet, *, data: bool = False) -> Completed[Removal, None]:

    def heal(instances: Sequence[Instance], say: Say) -> None:
        for instance in instances:
            if instance.name in scripted.unhealable:
                raise HealFailed(f"{instance.name} could not be healed")
            say(f"healed {instance.name}")
            scripted.instances[instance.name].heals.clear()

    verb = Destroy(scripted.fleet, data, heal)
    return recipe.perform(verb, Consent(lambda plan: None), listener=lambda event: None, say=scripted.say)


def test_everything_that_is_there_is_removed(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet()
    scripted.deploy(["namesrv-1", "broker-a-0"])
    assert perform(scripted, data=True).plan.instances == ("namesrv-1", "broker-a-0")
    assert scripted.alive() == set()
    assert not any(each.mark for each in scripted.instances.values())
    assert audit.entries()[0].plan == ["remove namesrv-1 and its messages", "remove broker-a-0 and its messages"]


def test_faults_end_before_what_would_end_them_is_removed(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet()
    scripted.deploy()
    scripted.instances["broker-a-1"].heals.add("f-1")
    assert perform(scripted).plan.steps[0] == "heal f-1 on broker-a-1"
    assert scripted.moments.index("say healed broker-a-1") < next(
        number for number, moment in enumerate(scripted.moments) if moment.startswith("destroy")
    )


def test_a_fault_that_cannot_be_ended_keeps_all_of_it(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet()
    scripted.deploy()
    scripted.instances["broker-a-1"].heals.add("f-1")
    scripted.unhealable.add("broker-a-1")
    with pytest.raises(HealFailed):
        perform(scripted)
    assert scripted.alive() == set(scripted.instances)


def test_what_no_deploy_made_is_left_and_named(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet()
    scripted.deploy(["broker-a-0"])
    scripted.instances["broker-a-0"].strange = {"logs"}
    logs = scripted.instances["broker-a-0"].instance.text("rocketmq_log_dir")
    plan = perform(scripted, data=True).plan
    assert plan.steps[1:] == (f"leave {logs}, which no deploy of broker-a-0 made",)


def test_where_nothing_is_no_playbook_is_run(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet()
    assert perform(scripted).plan.steps == ()
    assert scripted.moments == ["lock", "ask hosts"]


def test_a_directory_of_another_cluster_keeps_all_of_it(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet()
    scripted.deploy()
    scripted.instances["broker-b-1"].mark = "other/broker-b-1"
    with pytest.raises(Unsafe, match="belong to another cluster; nothing was removed") as raised:
        perform(scripted)
    assert "broker-b-1: other/broker-b-1" in str(raised.value.detail)
    assert scripted.alive() == set(scripted.instances)


def test_another_name_is_refused(new_fleet: Callable[..., ScriptedFleet]) -> None:
    topology = new_fleet().topology
    refuse_other_name(topology, topology.cluster, "removes")
    with pytest.raises(Unsafe, match="the name given was 'another'"):
        refuse_other_name(topology, "another", "removes")


def test_one_that_is_interrupted_is_finished_by_the_same_command(new_fleet: Callable[..., ScriptedFleet]) -> None:
    def make() -> ScriptedFleet:
        made = new_fleet()
        made.deploy()
        return made

    for scripted in interrupted_at_each_moment(make, perform, moments=20):
        assert not scripted.lock_held()
        perform(scripted)
        assert not any(each.mark for each in scripted.instances.values())

"""A whole deploy against a scripted fleet, from the first look to the canary; and interrupted at every moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed, PreflightFailed, Unsafe
from rmqops.operations import inventories
from rmqops.operations.change import audit, deploy, recipe
from rmqops.operations.change.deploy import Deploy
from rmqops.operations.change.fleet import files_of
from rmqops.operations.change.recipe import Completed, Consent
from rmqops.operations.observe import canary, health
from rmqops.operations.plan import mastership
from rmqops.operations.plan.mastership import Role
from rmqops.operations.plan.plan import Plan
from rmqops.source.artifacts import RuntimeArtifact
from tests.support.clusters import dledger_inventory
from tests.support.interrupting import interrupted_at_each_moment
from tests.support.scripted_fleet import ScriptedFleet, artifact

SAID_YES: Consent[Plan] = Consent(lambda plan: None)


def perform(
    scripted: ScriptedFleet, *names: str, consent: Consent[Plan] = SAID_YES, digest: str = "0123456789abcdef"
) -> Completed[Plan, None]:
    verb = Deploy(scripted.fleet, scripted.topology.select(names), artifact(scripted.topology.version, digest))
    return recipe.perform(verb, consent, listener=lambda event: None, say=scripted.say)


@pytest.fixture(params=["master-slave", "dledger"])
def scripted(request: pytest.FixtureRequest, new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """A fleet of two groups without elections, and one of a DLedger group."""
    return new_fleet() if request.param == "master-slave" else new_fleet(dledger_inventory, "4.5.2")


def test_a_first_deploy_starts_everything_and_ends_healthy_with_a_canary(scripted: ScriptedFleet) -> None:
    completed = perform(scripted)
    names = set(scripted.instances)
    assert [change.instance.name for change in completed.plan.pending] == list(scripted.instances)
    assert {change.action for change in completed.plan.changes} == {"create"}
    assert scripted.alive() == names
    assert completed.status is not None
    assert completed.status.healthy
    masters = [master for group in scripted.topology.groups for master in scripted.masters(group)]
    assert all((canary.TOPIC, 0) in scripted.instances[master].queues for master in masters)
    assert scripted.moments == ["lock", "ask hosts", *(f"site {name}" for name in scripted.instances),
                                "say waiting for health"]  # fmt: skip
    (entry,) = audit.entries()
    assert (entry.verb, entry.outcome) == ("deploy", "done")
    assert entry.plan == [f"{name}: create; brings {scripted.artifact.name}" for name in scripted.instances]


def test_a_second_one_has_nothing_to_do_and_asks_the_hosts_once(scripted: ScriptedFleet) -> None:
    scripted.deploy()
    completed = perform(scripted)
    assert completed.plan.pending == ()
    assert scripted.moments == ["lock", "ask hosts", "say waiting for health"]
    assert audit.entries()[0].plan == []


def test_what_runs_and_must_change_is_restarted_one_at_a_time_and_a_master_last(scripted: ScriptedFleet) -> None:
    scripted.deploy()
    perform(scripted, digest="ffffffffffffffff")
    restarted = [text.split()[1] for text in scripted.moments if text.startswith("restart ")]
    assert sorted(restarted) == sorted(scripted.instances)
    kinds = [scripted.instances[name].instance.kind for name in restarted]
    assert kinds == sorted(kinds, key=["namesrv", "broker"].index)
    sites = [place for place, text in enumerate(scripted.moments) if text.startswith("site ")]
    assert sites[-1] < scripted.moments.index(f"restart {restarted[0]}")
    assert {each.running[1] for each in scripted.instances.values() if each.running} == {
        f"rocketmq-{scripted.topology.version}-ffffffffffffffff"
    }
    masters = [group.members[0].name for group in scripted.topology.groups]
    assert restarted[-len(masters) :] == masters


def test_what_is_down_is_started_and_nothing_else_is_touched(scripted: ScriptedFleet) -> None:
    scripted.deploy()
    scripted.kill("broker-a-1")
    perform(scripted)
    assert [text for text in scripted.moments if text.startswith(("site", "restart"))] == ["site broker-a-1"]


def test_some_instances_wait_for_their_own_health_alone(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet()
    scripted.deploy()
    scripted.kill("broker-b-0")
    completed = perform(scripted, "broker-a")
    assert completed.status is not None
    assert completed.status.healthy
    assert (canary.TOPIC, 0) not in scripted.instances["broker-b-1"].queues
    assert (canary.TOPIC, 0) in scripted.instances["broker-a-0"].queues


@pytest.mark.parametrize("described", ["master-slave", "dledger"])
def test_one_that_is_interrupted_at_any_moment_is_finished_by_the_same_command(
    described: str, new_fleet: Callable[..., ScriptedFleet]
) -> None:
    def make() -> ScriptedFleet:
        made = new_fleet() if described == "master-slave" else new_fleet(dledger_inventory, "4.5.2")
        made.deploy()
        made.kill("broker-a-1")
        return made

    upgrade = partial(perform, digest="ffffffffffffffff")
    for scripted in interrupted_at_each_moment(make, upgrade, moments=60):
        assert audit.entries()[0].outcome == "interrupted"
        assert not scripted.lock_held()
        completed = upgrade(scripted)
        assert completed.status is not None
        assert completed.status.healthy, scripted.moments
        assert scripted.alive() == set(scripted.instances)
        assert upgrade(scripted).plan.pending == ()


def test_a_host_that_fails_is_named_and_what_was_done_stays(scripted: ScriptedFleet) -> None:
    scripted.fails = {"site namesrv-2"}
    with pytest.raises(OperationFailed, match="namesrv-2"):
        perform(scripted)
    assert scripted.alive() == {"namesrv-1"}
    assert (audit.entries()[0].outcome, scripted.lock_held()) == ("failed", False)
    scripted.fails = set()
    perform(scripted)
    assert scripted.alive() == set(scripted.instances)


def test_a_cluster_that_does_not_become_healthy_fails_with_the_logs_of_the_ailing(
    scripted: ScriptedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DEADLINE", 0.05)
    scripted.before["say waiting for health"] = lambda: scripted.kill("broker-a-1")
    with pytest.raises(OperationFailed, match=r"is not healthy after 0\.05 s") as raised:
        perform(scripted)
    assert "broker broker-a-1 does not answer" in str(raised.value.detail)
    assert str(raised.value.detail).endswith("the end of its log")
    assert (canary.TOPIC, 0) not in scripted.instances["broker-a-0"].queues
    assert (audit.entries()[0].outcome, scripted.lock_held()) == ("failed", False)


def test_a_taken_port_is_an_obstacle_before_anything_is_touched(scripted: ScriptedFleet) -> None:
    scripted.taken_ports = {scripted.instances["namesrv-2"].instance.port}
    with pytest.raises(PreflightFailed) as raised:
        perform(scripted)
    assert "taken by pid 99 (squatter)" in str(raised.value.detail)
    assert scripted.alive() == set()


def test_roles_that_were_changed_and_a_second_master_are_refused_by_one_look(
    new_fleet: Callable[..., ScriptedFleet],
) -> None:
    scripted = new_fleet()
    scripted.deploy()
    scripted.kill("broker-a-0")
    promoted = mastership.with_role(scripted.topology.instance("broker-a-1"), Role(0, "ASYNC_MASTER"))
    scripted.instances["broker-a-1"].files = files_of(promoted)
    with pytest.raises(Unsafe, match="does not change roles"):
        perform(scripted, "broker-a-0")
    with pytest.raises(Unsafe, match="does not change roles"):  # which is what ``rmqops plan`` calls
        deploy.prepare(scripted.fleet, scripted.topology.instances, None)
    assert scripted.moments == ["lock", "ask hosts", "ask hosts"]


def test_what_is_not_built_yet_is_told_by_its_version(scripted: ScriptedFleet) -> None:
    plan = deploy.prepare(scripted.fleet, scripted.topology.instances, None)
    assert {change.missing_archives for change in plan.changes} == {(f"rocketmq-{scripted.topology.version}",)}


def test_a_sample_is_refused(tmp_path: Path) -> None:
    loaded = inventories.load(str(Path(__file__).parents[4] / "inventory" / "prod"))
    with pytest.raises(Unsafe, match="is a sample"):
        deploy.refuse_sample(loaded)
    deploy.refuse_sample(replace(loaded, placeholders=()))


def test_one_instance_acts_for_all_that_share_a_machine_and_a_directory(scripted: ScriptedFleet) -> None:
    plan = deploy.prepare(scripted.fleet, scripted.topology.instances, scripted.artifact)
    assert set(deploy.representatives(plan).values()) == {"namesrv-1"}
    first, second, *rest = plan.changes
    elsewhere = replace(second, instance=replace(second.instance, host="10.9.9.9", connection="ssh"))
    acting = deploy.representatives(replace(plan, changes=(first, elsewhere, *rest)))
    assert acting["namesrv-2"] == "namesrv-2"
    assert acting["broker-a-0"] == "namesrv-1"


def test_the_archives_of_a_machine_are_told_in_the_words_of_the_role() -> None:
    runtime = RuntimeArtifact("java-17", Path("java.tar.gz"), "d", 1, "17.0.1", "x86_64")
    release, java = deploy.archives(replace(artifact("4.5.2"), runtime=runtime))
    assert release == {
        "name": "rocketmq-4.5.2-0123456789abcdef",
        "link": "rocketmq-4.5.2",
        "archive": "release.tar.gz",
        "sha256": "0123456789abcdef",
    }
    assert java == {"name": "java-17", "link": "java", "archive": "java.tar.gz", "sha256": "d"}

"""Status and drift of a whole cluster, hosts and processes asked side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rmqops.errors import HostUnreachable
from rmqops.model.topology import Reachable
from rmqops.operations.change.fleet import files_of
from rmqops.operations.hosts import facts
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.plan import drift, inspection, mastership
from rmqops.operations.plan.mastership import Role
from rmqops.transport.base import Transport
from tests.support.scripted_fleet import ScriptedFleet


@pytest.fixture
def scripted(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """A deployed fleet of two groups without elections."""
    made = new_fleet()
    made.deploy()
    return made


def inspect(scripted: ScriptedFleet) -> inspection.Inspection:
    return inspection.inspect(scripted.topology, scripted.fleet.transports)


def test_a_cluster_as_it_was_deployed_has_no_drift(scripted: ScriptedFleet) -> None:
    seen = inspect(scripted)
    assert (seen.status.healthy, seen.drift) == (True, ())
    assert seen.json()["drift"] == []
    assert scripted.moments == ["ask hosts"]


def test_every_kind_of_drift_is_told_of_its_instance(scripted: ScriptedFleet) -> None:
    edited = scripted.instances["namesrv-1"]
    edited.tree_name = edited.tree
    edited.files = {**edited.files, "conf/added": "by hand"}
    slave = scripted.topology.instance("broker-a-1")
    scripted.kill("broker-a-0")
    scripted.kill("broker-a-1")
    scripted.instances["broker-a-1"].files = files_of(mastership.with_role(slave, Role(0, "ASYNC_MASTER")))
    scripted.start("broker-a-1")
    running = scripted.instances["broker-b-1"].running
    assert running is not None
    changed = {**running[2], "deleteWhen": "23"}
    scripted.instances["broker-b-1"].running = (running[0], running[1], changed)
    assert inspect(scripted).drift == (
        "namesrv-1: files were edited on the host",
        "broker-a-1: is deployed as ASYNC_MASTER, broker id 0, and the inventory says SLAVE, broker id 1",
        "broker-b-1: runs with deleteWhen=23, the default is 04",
    )


def test_the_three_kinds_are_written_once(scripted: ScriptedFleet) -> None:
    instance = scripted.topology.instance("broker-b-1")
    host = facts.gather([instance], scripted.fleet.transports)[instance.name]
    settings = {**host.settings, "deleteWhen": "23"}
    told = [
        *drift.on_host(host),
        *drift.of_role(instance, host),
        *drift.in_force(instance, host, settings),
    ]
    assert told == drift.everything(instance, host, settings) == ["runs with deleteWhen=23, the default is 04"]


def test_a_host_that_cannot_be_looked_at_is_drift_and_what_is_not_deployed_is_none(
    scripted: ScriptedFleet,
) -> None:
    scripted.instances["broker-b-0"].mark = None

    def reach(item: Reachable) -> Transport:
        raise HostUnreachable(f"{item.host} does not answer")

    assert inspect(scripted).drift == ()
    seen = inspection.inspect(scripted.topology, reach)
    assert len(seen.drift) == len(scripted.instances)
    assert seen.drift[0].startswith("namesrv-1: its host could not be looked at: ")
    assert seen.status.healthy


def test_what_systemd_says_of_a_unit_is_a_problem_of_its_instance(scripted: ScriptedFleet) -> None:
    status = inspect(scripted).status
    state = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "NRestarts": "5"}
    told = inspection._with_complaints(scripted.topology, status, {"broker-a-0": Facts(state=state)})
    assert (told.ailing, told.healthy) == (("broker-a-0",), False)
    assert told.problems[0].startswith("broker-a-0: its unit has failed (exit-code)")


def test_what_is_in_no_inventory_is_a_problem_and_no_part_of_a_gate(scripted: ScriptedFleet) -> None:
    seen = inspect(scripted)
    assert seen.json()["nameservers"][0]["release"] == scripted.artifact.name  # type: ignore[index]
    told = inspection._with_complaints(
        scripted.topology, replace(seen.status, unlisted=("orders is registered",)), {}
    )
    assert (told.problems, told.healthy, told.ailing) == (("orders is registered",), False, ())

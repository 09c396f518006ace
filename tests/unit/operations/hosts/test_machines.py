"""Instances are grouped by the machines that they live on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rmqops.model.topology import Instance, Value
from rmqops.operations.hosts.machines import Machine, machines
from tests.support.instances import topology


def remote(instance: Instance, host: str) -> Instance:
    return replace(instance, host=host, connection="ssh")


def test_each_machine_comes_once_with_all_of_its_instances_in_the_order_of_the_first() -> None:
    made = topology()
    first, second, third = made.nameservers
    places = machines([remote(second, "b"), first, remote(third, "b"), *made.brokers])
    assert [[item.name for item in place.instances] for place in places] == [
        ["namesrv-2", "namesrv-3"],
        ["namesrv-1", "broker-a-0", "broker-a-1", "broker-a-2"],
    ]
    assert [place.local for place in places] == [False, True]
    assert [len(place.brokers) for place in places] == [0, 3]


@pytest.mark.parametrize(("said", "become"), [("y", True), (True, True), ("no", False), (None, False)])
def test_who_becomes_another_user(said: Value, become: bool) -> None:
    variables = {"ansible_become": said} if said is not None else {}
    made = replace(topology().nameservers[0], variables=variables)
    assert Machine("m", (made,)).become is become


def test_the_machine_of_rmqops_itself_has_no_instance() -> None:
    here = Machine("here", ())
    assert (here.local, here.setting("ansible_become"), here.brokers) == (True, "", ())

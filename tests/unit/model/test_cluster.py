"""Hosts as an inventory describes them, before they are found good."""

from __future__ import annotations

import pytest

from rmqops.model.ansible import is_whole
from rmqops.model.cluster import LOCAL, Cluster
from rmqops.model.validation import resolve_cluster
from rmqops.operations import inventories
from tests.support import plain_inventory
from tests.unit.model.conftest import edited


def cluster(edits: dict[str, object] | None = None, base: str = "fleet") -> Cluster:
    raw = plain_inventory.parsed({"hosts.yml": edited(base, edits or {})})
    return resolve_cluster(raw, inventories.reference(), {}, {})[0]


def test_hosts_by_what_they_run() -> None:
    fleet = cluster({"children.clients": {"hosts": {"c1": {"ansible_host": "10.9.9.9"}}}})
    assert [host.name for host in fleet.nameservers] == ["ns1", "ns2"]
    assert {name: len(members) for name, members in fleet.groups.items()} == {"alpha": 3, "pair": 2, "lone": 1}
    assert [host.name for host in fleet.clients] == ["c1"]
    assert [host.kind for host in fleet.members] == ["namesrv"] * 2 + ["broker"] * 6


def test_a_host_in_two_groups_is_one_member() -> None:
    fleet = cluster({"children.namesrv.hosts.l0": {}})
    assert [host.name for host in fleet.members].count("l0") == 1


@pytest.mark.parametrize(
    ("edits", "place"),
    [
        ({}, "10.0.3.0"),
        ({"lone.hosts.l0.ansible_port": 22}, "10.0.3.0"),
        ({"lone.hosts.l0.ansible_port": 2222}, "10.0.3.0 (ssh port 2222)"),
        ({"lone.hosts.l0.ansible_connection": "local"}, LOCAL),
        ({"lone.hosts.l0": {}}, "l0"),
    ],
)
def test_the_machine_of_a_host(edits: dict[str, object], place: str) -> None:
    assert cluster(edits).hosts["l0"].place == place


def test_instances_of_one_machine_share_a_place() -> None:
    (place,) = cluster(base="laptop").places.items()
    assert (place[0], len(place[1])) == (LOCAL, 4)


def test_values_of_the_wrong_kind_are_passed_over() -> None:
    host = cluster({"lone.hosts.l0.rocketmq_heap": ["1g"], "lone.hosts.l0.rocketmq_listen_port": "many"}).hosts[
        "l0"
    ]
    assert (host.text("rocketmq_heap"), host.number("rocketmq_listen_port")) == ("", None)
    assert host.number("no_such_variable") is None


def test_a_problem_names_the_line_that_set_the_value() -> None:
    text = edited("fleet", {"lone.hosts.l0.rocketmq_heap": "much"})
    host = cluster({"lone.hosts.l0.rocketmq_heap": "much"}).hosts["l0"]
    problem = host.problem("rocketmq_heap", "is wrong", "Mend it")
    file, _, line = problem.file.partition(":")
    assert (file, problem.host, problem.found) == ("hosts.yml", "l0", "much")
    assert "rocketmq_heap" in text.splitlines()[int(line) - 1]
    assert host.problem(None, "is wrong", "Mend it").file == "inv"


@pytest.mark.parametrize(
    ("text", "whole"),
    [("0", True), ("-7", True), ("9" * 18, True), ("9" * 19, False), ("1.0", False), ("٣", False), ("", False)],
)
def test_whole_numbers(text: str, whole: bool) -> None:
    assert is_whole(text) is whole

"""Targets: words resolved against the route of the moment."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from rmqops.chaos.drill import targets
from rmqops.errors import Inconclusive
from tests.support.instances import topology

CLUSTER = topology()
MASTERS = {server.name: {"broker-a": "127.0.0.1:101"} for server in CLUSTER.nameservers}


def names(target: str, seed: int = 1) -> list[str]:
    return [victim.name for victim in targets.resolve(target, CLUSTER, MASTERS, random.Random(seed))]


def test_the_master_is_the_one_that_the_nameservers_name() -> None:
    assert names("master") == ["broker-a-1"]


def test_a_slave_is_never_the_master_and_chance_decides_which() -> None:
    assert {name for seed in range(20) for name in names("slave", seed)} == {"broker-a-0", "broker-a-2"}


@pytest.mark.parametrize(("target", "count"), [("one", 1), ("minority", 1), ("majority", 2), ("all", 3)])
def test_a_share_of_a_group(target: str, count: int) -> None:
    assert len(set(names(target))) == count


@pytest.mark.parametrize(("target", "count"), [("namesrv", 1), ("namesrv-majority", 2), ("namesrv-all", 3)])
def test_a_share_of_the_nameservers(target: str, count: int) -> None:
    assert len({name for name in names(target) if name.startswith("namesrv-")}) == count


def test_the_same_seed_strikes_the_same() -> None:
    assert names("majority", 7) == names("majority", 7)


def test_names_are_taken_as_they_are() -> None:
    assert names("namesrv-2, broker-a-0,namesrv-2") == ["namesrv-2", "broker-a-0"]


@pytest.mark.parametrize("odd", ["127.0.0.1:102", "10.0.0.1:1", None])
def test_nameservers_that_differ_name_no_master(odd: str | None) -> None:
    masters: dict[str, Mapping[str, str | None]] = {**MASTERS, "namesrv-3": {"broker-a": odd}}
    with pytest.raises(Inconclusive, match=f"namesrv-3 says {odd or 'none'}"):
        targets.resolve("master", CLUSTER, masters, random.Random(1))


def test_a_master_that_the_inventory_does_not_have_is_none() -> None:
    masters = {server: {"broker-a": "10.0.0.1:1"} for server in MASTERS}
    with pytest.raises(Inconclusive):
        targets.resolve("master", CLUSTER, masters, random.Random(1))


@pytest.mark.parametrize(
    ("target", "means"),
    [
        ("producer", ("producer", None)),
        ("consumer-12", ("consumer", 12)),
        ("producers", None),
        ("producer-1-2", None),
        ("master", None),
        ("broker-a-0", None),
    ],
)
def test_a_process_of_the_load_is_a_target_by_its_role_or_its_place(target: str, means: object) -> None:
    assert targets.client(target) == means

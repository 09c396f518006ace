"""An inventory from Ansible's answer, and where its values stand; the test of agreement asks Ansible itself."""

from __future__ import annotations

from typing import Any

import pytest

from rmqops.model.inventory import RawInventory, from_listing, named
from rmqops.model.inventory_places import Places
from rmqops.model.yamltext import Opaque, Verbatim
from tests.support import plain_inventory
from tests.unit.model.conftest import FLEET, load, problems

HOSTS = """
all:
  vars: {x: all, y: all}
  hosts: {loose: {}}
  children:
    outer:
      vars: {x: outer}
      children:
        inner:
          vars: {x: inner}
          hosts: {h: {}}
    zed:
      hosts: {h: {}}
"""


def answered(hostvars: dict[str, Any], **groups: Any) -> RawInventory:
    listing = {"_meta": {"hostvars": hostvars}, "all": {"children": ["ungrouped", *groups]}, **groups}
    return from_listing(listing, ["i"], Places([]))


def test_groups_of_a_host_and_their_order() -> None:
    parsed = plain_inventory.parsed({"hosts.yml": HOSTS})
    assert parsed.hosts["h"].groups == ("inner", "outer", "zed")
    assert parsed.hosts["loose"].groups == ("ungrouped",)
    assert parsed.groups["all"] == ("loose", "h")
    assert parsed.groups["outer"] == ("h",)


def test_a_group_that_only_its_parent_names_is_there_and_empty() -> None:
    parsed = answered({}, brokers={"children": ["a", "b"]}, a={"hosts": ["h"]})
    assert parsed.children["brokers"] == ("a", "b")
    assert parsed.groups["b"] == ()
    assert parsed.groups["brokers"] == ("h",)


def test_what_is_vaulted_is_opaque_and_what_is_unsafe_is_no_template() -> None:
    vaulted, unsafe = {"__ansible_vault": "$ANSIBLE_VAULT;1.1\n"}, {"__ansible_unsafe": "{{ x }}"}
    variables = {"v": vaulted, "u": [unsafe], "m": {"a": 1}}
    host = answered({"h": variables}, g={"hosts": ["h"]}).hosts["h"]
    assert host.variables == {"v": "!vault", "u": ["{{ x }}"], "m": {"a": 1}}
    assert isinstance(host.variables["v"], Opaque)
    assert isinstance(host.variables["u"][0], Verbatim)  # type: ignore[index]


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({}, "hosts.yml:10"),
        ({"group_vars/all.yml": "x: all file"}, "group_vars/all.yml:1"),
        ({"group_vars/all.yml": "x: a", "group_vars/outer.yml": "x: outer"}, "group_vars/outer.yml:1"),
        ({"group_vars/inner.yml": "\nx: i", "host_vars/h.yml": "\n\nx: h"}, "host_vars/h.yml:3"),
        ({"group_vars/all/a.yml": "x: first", "group_vars/all/b.yml": "x: second"}, "group_vars/all/b.yml:1"),
        ({"group_vars/all/a.yml": "x: inside", "group_vars/all.yml": "x: beside"}, "group_vars/all/a.yml:1"),
        ({"group_vars/nobody.yml": "x: inner"}, "hosts.yml:10"),
    ],
)
def test_where_the_value_that_won_stands(files: dict[str, str], place: str) -> None:
    host = plain_inventory.parsed({"hosts.yml": HOSTS, **files}).hosts["h"]
    assert str(host.origins["x"]) == place


def test_a_value_that_no_file_says_stands_nowhere() -> None:
    """Whatever our reading of the files is, a place that says something else is not named."""
    files = plain_inventory.described({"hosts.yml": "all: {hosts: {h: {x: 1, y: {a: 1, b: 2}, z: true}}}"})
    hostvars = {"h": {"x": 2, "y": {"a": 1, "b": 3}, "z": 1}}
    listing = {"_meta": {"hostvars": hostvars}, "all": {"children": ["ungrouped"]}, "ungrouped": {"hosts": ["h"]}}
    origins = from_listing(listing, files.sources, files.places).hosts["h"].origins
    assert {key: str(origin) for key, origin in origins.items()} == {"y": "hosts.yml:1", "y.a": "hosts.yml:1"}


def test_a_key_twice_is_refused_before_ansible_takes_the_last() -> None:
    [problem] = problems({"hosts.yml": FLEET, "group_vars/all.yml": "rocketmq_heap: 1g\nrocketmq_heap: 2g\n"})
    assert (problem.file, problem.key) == ("group_vars/all.yml:2", "rocketmq_heap")


def test_the_directory_of_an_inventory_is_known_where_there_is_one() -> None:
    one = plain_inventory.parsed({"/d/a.yml": "all: {hosts: {h: }}", "/d/b.yml": "all: {hosts: {k: }}"})
    assert {host.directory for host in one.hosts.values()} == {"/d"}
    two = plain_inventory.parsed({"/d/a.yml": "all: {hosts: {h: }}", "/e/b.yml": "all: {hosts: {k: }}"})
    assert {name: host.directory for name, host in two.hosts.items()} == {"h": "/d", "k": "/e"}
    assert answered({}, g={"hosts": ["h"]}).hosts["h"].directory is None


def test_several_sources_are_named_as_on_a_command_line() -> None:
    assert named(["a b.yml"]) == "'a b.yml'"
    assert named(["common", "prod"]) == "common --inventory prod"


def test_a_vaulted_value_is_wrong_only_where_rmqops_needs_it() -> None:
    listing = plain_inventory.listing(plain_inventory.described({"hosts.yml": FLEET}))
    for host in listing["_meta"]["hostvars"].values():
        host["ansible_become_password"] = {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n6162"}
    assert from_listing(listing, ["i"], Places([])).hosts["a0"].variables["ansible_become_password"] == "!vault"


def test_a_good_fleet_has_no_problems() -> None:
    assert load(FLEET)[1] == ()

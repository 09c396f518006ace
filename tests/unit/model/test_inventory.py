"""Merging as Ansible merges; tests/e2e/test_inventory_agreement.py asks Ansible itself."""

from __future__ import annotations

from typing import Any

import pytest

from rmqops.errors import InventoryError
from rmqops.model import inventory, inventory_files
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


def variables(files: dict[str, str], host: str = "h") -> dict[str, Any]:
    return dict(inventory.parse("i", files).hosts[host].variables)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "inner"),
        ({"group_vars/all.yml": "x: all file"}, "all file"),
        ({"group_vars/all.yml": "x: all file", "group_vars/outer.yml": "x: outer file"}, "outer file"),
        ({"group_vars/outer.yml": "x: outer file", "group_vars/zed": "x: zed file"}, "zed file"),
        ({"group_vars/inner.yml": "x: inner file", "group_vars/zed.yml": "x: zed file"}, "inner file"),
        ({"group_vars/zed.yml": "x: zed file", "host_vars/h.yml": "x: host file"}, "host file"),
        ({"group_vars/all/a.yml": "x: first", "group_vars/all/b.yml": "x: second"}, "second"),
        (
            {"group_vars/all/a.yml": "x: in the directory", "group_vars/all.yml": "x: beside it"},
            "in the directory",
        ),
        ({"group_vars/all.yml": "x: yml", "group_vars/all.json": '{"x": "json"}'}, "yml"),
        ({"group_vars/nobody.yml": "x: nobody's"}, "inner"),
    ],
)
def test_precedence(files: dict[str, str], expected: str) -> None:
    assert variables({"hosts.yml": HOSTS, **files})["x"] == expected


def test_priority_of_a_group_beats_its_name() -> None:
    text = "a: {vars: {x: a, ansible_group_priority: 9}, hosts: {h: {}}}\nb: {vars: {x: b}, hosts: {h: {}}}\n"
    assert variables({"hosts.yml": text}) == {"x": "a"}


def test_a_host_name_with_dots_finds_its_variables() -> None:
    text = "all: {hosts: {10.0.0.1: {}}}"
    assert variables({"hosts.yml": text, "host_vars/10.0.0.1": "x: 1"}, "10.0.0.1") == {"x": 1}


def test_several_files_of_hosts_are_one_inventory() -> None:
    parsed = inventory.parse(
        "i", {"i/a.yml": "g: {hosts: {h: {x: 1}}}", "i/b.yml": "g: {hosts: {h: {y: 2}, k: }}"}
    )
    assert parsed.groups["g"] == ("h", "k")
    assert parsed.hosts["h"].variables == {"x": 1, "y": 2}
    assert str(parsed.hosts["h"].origins["y"]) == "i/b.yml:1"


def test_groups_of_a_host() -> None:
    parsed = inventory.parse("i", {"hosts.yml": HOSTS})
    assert parsed.hosts["h"].groups == ("inner", "outer", "zed")
    assert parsed.hosts["loose"].groups == ("ungrouped",)
    assert parsed.groups["all"] == ("loose", "h")


@pytest.mark.parametrize(
    ("files", "place", "says"),
    [
        ({"hosts": "[namesrv]\nns1\n"}, "hosts:1", "is not a YAML inventory"),
        ({"hosts.ini": "ns1 a=b\n"}, "hosts.ini:1", "is not a YAML inventory"),
        ({"hosts.yml": "# c\n\n[brokers:children]\na\n"}, "hosts.yml:3", "is not a YAML inventory"),
        ({"hosts.yml": "#!/usr/bin/env python3\nprint()\n"}, "hosts.yml:1", "is a program"),
        ({"aws.yml": "plugin: aws_ec2\nregions: [x]\n"}, "aws.yml:1", "inventory plug-in"),
        ({"hosts.yml": "all: {hots: {}}"}, "hosts.yml:1", "not a section"),
        ({"hosts.yml": "all:\n  hosts: [a, b]\n"}, "hosts.yml:2", "not a mapping"),
        ({"hosts.yml": "all: [a]"}, "hosts.yml:1", "not a group"),
        ({"hosts.yml": "all: {hosts: {a: 1}}"}, "hosts.yml:1", "not a mapping of variables"),
        ({"hosts.yml": "a: {children: {b: {children: {a: }}}}"}, "hosts.yml:1", "child group of itself"),
        ({}, "i", "no inventory file"),
        ({"group_vars/all.yml": "x: 1"}, "i", "no inventory file"),
    ],
)
def test_what_is_refused(files: dict[str, str], place: str, says: str) -> None:
    with pytest.raises(InventoryError) as caught:
        inventory.parse("i", files)
    assert any(problem.file == place and says in problem.message for problem in caught.value.problems)


def test_a_conversion_is_the_remedy_for_an_ini() -> None:
    with pytest.raises(InventoryError) as caught:
        inventory.parse("i", {"x/hosts": "[namesrv]\nns1\n"})
    assert "ansible-inventory -i x/hosts --list --yaml --output x/hosts.yml" in caught.value.problems[0].remedy


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("hosts.yml", True),
        ("hosts", True),
        ("hosts.ini", True),
        (".hosts.yml.swp", False),
        ("hosts.yml~", False),
        ("README.md", False),
        ("group_vars/all.yml", True),
        ("group_vars/all", True),
        ("group_vars/all/vault.yml", True),
        ("group_vars/all/notes.conf", False),
        ("group_vars/.all.yml.swp", False),
    ],
)
def test_which_files_belong(name: str, belongs: bool) -> None:
    assert inventory_files.is_inventory_file(name) is belongs


def test_a_vaulted_value_is_wrong_only_where_rmqops_needs_it() -> None:
    vaulted = "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"
    assert problems({"hosts.yml": FLEET, "group_vars/all.yml": f"ansible_become_password: {vaulted}"}) == ()
    [problem] = problems({"hosts.yml": FLEET, "group_vars/all.yml": f"rocketmq_heap: {vaulted}"})
    assert (problem.file, problem.key) == ("group_vars/all.yml:1", "rocketmq_heap")
    assert "vaulted" in problem.message


def test_a_vaulted_file_is_a_warning() -> None:
    _, [problem] = load({"hosts.yml": FLEET, "group_vars/all/vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n"})
    assert (problem.file, problem.severity) == ("group_vars/all/vault.yml", "warning")

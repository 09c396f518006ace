"""A value that cannot be resolved is told once, and nothing is concluded from it, whichever variable it is."""

from __future__ import annotations

import pytest

from rmqops.errors import InventoryError
from rmqops.model.validation import load as validated
from rmqops.operations import inventories
from rmqops.operations.plan.trees import tree
from tests.support import plain_inventory
from tests.unit.model.conftest import edited, problems

SETTINGS = inventories.reference().schema.settings
CONNECTION = ("ansible_host", "ansible_port", "ansible_ssh_host", "ansible_ssh_port", "ansible_connection")
FACT = "{{ ansible_default_ipv4.address }}"
WHERE = [
    ("fleet", "vars"),
    ("fleet", "pair.hosts.p1"),
    ("laptop", "alpha.hosts.a0"),
    ("laptop", "namesrv.hosts.ns1"),
]


@pytest.mark.parametrize(("base", "where"), WHERE)
@pytest.mark.parametrize("key", [*SETTINGS, *CONNECTION])
def test_one_problem_for_each_variable(key: str, where: str, base: str) -> None:
    said = [problem for problem in problems(edited(base, {f"{where}.{key}": FACT})) if problem.severity == "error"]
    overridden = where == "vars" and key == "ansible_host"  # by every host
    assert [problem.key for problem in said] == ([] if overridden else [key]), [str(problem) for problem in said]
    assert all("ansible_default_ipv4" in problem.message for problem in said)


NUMBERS = [name for name, setting in SETTINGS.items() if setting.type == "int"]


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("written", [300, "300", "{{ 300 }}", "{{ '300' }}", "{{ lookup('env', 'N') }}"])
def test_a_number_is_one_however_it_is_written(key: str, written: object) -> None:
    """What is found good can be rendered, and as the same bytes."""
    assert trees(key, written) == trees(key, 300)


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("written", ["007", "+3", " 3", "3.0", 3.5, "1_0", "٣", "", True, [3], "3" * 20, "0x3"])
def test_what_is_no_number_is_refused(key: str, written: object) -> None:
    with pytest.raises(InventoryError) as caught:
        trees(key, written)
    assert key in {problem.key for problem in caught.value.problems}


def trees(key: str, written: object) -> object:
    raw = plain_inventory.parsed({"hosts.yml": edited("fleet", {f"lone.hosts.l0.{key}": written})})
    topology, _ = validated(raw, inventories.reference(), {"N": "300"})
    return tree(topology.instance("l0"))

"""Templates, resolved for one host as Ansible would."""

from __future__ import annotations

from typing import Any

import pytest

from rmqops.model.variables import HostVariables, Unresolvable, resolve
from tests.support import plain_inventory
from tests.unit.model.conftest import FLEET, load


def host(
    variables: str, environment: dict[str, str] | None = None, defaults: dict[str, Any] | None = None
) -> HostVariables:
    hosts = "      hosts:\n        h: {k: 1}\n        o: {k: 2}\n"
    text = f"all:\n  children:\n    g:\n{hosts}      vars:\n{variables}"
    return resolve(plain_inventory.parsed({"/d/hosts.yml": text}), defaults or {}, environment or {})["h"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("{{ k }}", 1),
        ("{{ k + 1 }}", 2),
        ("{{ k }}{{ k }}", "11"),
        ("x{{ k }}", "x1"),
        (" {{ k }}", " 1"),
        ("{{ [k, k] }}", [1, 1]),
        ("{{ {'a': {'b': k}} }}", {"a": {"b": 1}}),
        ("{{ {'a': {'b': k}}['a']['b'] }}", 1),
        ("{{ [1, 2, 3] | reject('equalto', 2) }}", [1, 3]),
        ("{{ inventory_hostname }}", "h"),
        ("{{ group_names }}", ["g"]),
        ("{{ groups['g'] }}", ["h", "o"]),
        ("{{ groups['all'] | length }}", 2),
        ("{{ hostvars['o'].k }}", 2),
        ("{{ hostvars['o']['k'] }}", 2),
        ("{{ hostvars['o'].nix | default('none') }}", "none"),
        ("{{ inventory_dir }}", "/d"),
        ("{{ nix | default(k) }}", 1),
        ("{% if k == 1 %}one{% endif %}", "one"),
        ("{{ lookup('env', 'A') }}", "from outside"),
        ("{{ lookup('ansible.builtin.env', 'NIX') }}", ""),
        ("{{ lookup('env', 'NIX', default='else') }}", "else"),
        ("{{ lookup('env', 'A', default='else') }}", "from outside"),
        ("{{ k == 1 }}", True),
        ("{{ none }}", None),
        ("{{ 7 }}", 7),
        ("{{ 7 }}{{ 8 }}", "78"),
        ("{% if k == 1 %}{{ k }}{% endif %}", 1),
        ("{% if k == 2 %}{{ k }}{% endif %}", None),
        ("{# nothing #}", "{# nothing #}"),
    ],
)
def test_values(template: str, expected: object) -> None:
    found = host(f"        v: {template!r}\n", {"A": "from outside"})["v"]
    assert found == expected
    assert type(found) is type(expected)


def test_values_inside_lists_and_mappings() -> None:
    assert host("        v: {a: ['{{ k }}', x], b: {c: '{{ k }}'}}\n")["v"] == {"a": [1, "x"], "b": {"c": 1}}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ("        v: '{{ v }}'\n", "refers to itself: v → v"),
        ("        v: '{{ w }}'\n        w: '{{ v }}'\n", "v → w → v"),
        ("        v: '{{ hostvars[''o''].v }}'\n", "refers to itself"),
        ("        v: '{{ nix }}'\n", "'nix' is undefined"),
        ("        v: '{{ hostvars[''nix''].k }}'\n", "no attribute"),
        ("        v: '{{ lookup(''pipe'', ''id'') }}'\n", "'env' alone"),
        ("        v: '{{ k.a.b }}'\n", "no attribute"),
        ("        v: '{{ ((1,) * 10).index(2) }}'\n", "cannot be resolved"),
        ("        v: '{% for %}'\n", "cannot be resolved"),
        ("        v: {a: '{{ nix }}'}\n", "'nix' is undefined"),
    ],
)
def test_what_cannot_be_resolved(variables: str, says: str) -> None:
    with pytest.raises(Unresolvable, match=says.replace(".", r"\.")):
        host(variables)["v"]


def test_a_broken_variable_that_nobody_uses_is_nobodys_problem() -> None:
    assert load(FLEET.replace("rocketmq_cluster: test", "rocketmq_cluster: test\n    mine: '{{ nix }}'"))[1] == ()


def test_hostvars_have_no_defaults_as_in_ansible() -> None:
    found = host("        v: '{{ hostvars[''o''].d | default(''absent'') }}/{{ d }}'\n", defaults={"d": "default"})
    assert found["v"] == "absent/default"


def test_two_inventories_do_not_share_an_environment() -> None:
    text = "        v: \"{{ lookup('env', 'A') }}\"\n"
    one, two = host(text, {"A": "1"}), host(text, {"A": "2"})
    values: list[Any] = [one["v"], two["v"]]
    assert values == ["1", "2"]

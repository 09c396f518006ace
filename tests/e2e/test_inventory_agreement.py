"""rmqops reads an inventory as Ansible does: merged by `ansible-inventory`, resolved by a playbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rmqops import assets
from rmqops.model.inventory import RawInventory
from rmqops.model.variables import resolve
from rmqops.operations import inventories

pytestmark = pytest.mark.e2e

TRICKY = {
    "a.yml": """
all:
  vars:
    ansible_connection: local
    who: all
    base: &base {x: 1, y: 2}
    merged:
      <<: *base
      y: 3
  hosts:
    loose: {who: loose}
  children:
    outer:
      vars: {who: outer, only_outer: "{{ who }}!"}
      children:
        inner:
          vars: {who: inner, list: [1, "{{ n }}", {a: "{{ n + 1 }}"}]}
          hosts:
            h1: {n: 1}
            h2:
    zed: {vars: {who: zed, ansible_group_priority: 5}, hosts: {h1: , 10.0.0.1: }}
    yankee: {vars: {who: yankee}, hosts: {h2: , h3: }}
""",
    "b.yml": """
zed: {hosts: {h4: {late: true}}}
inner:
  vars: {second_file: yes}
  hosts: {h1: {m: "0644", octal: 0644, big: 1_000, sexagesimal: 1:30, day: 2020-01-02}}
""",
    "group_vars/all.yml": "n: 40\nwho: file all\nfrom_file: [a, b]\nnothing:\n",
    "group_vars/inner/one.yml": "who: inner one\nn: 41\n",
    "group_vars/inner/two.yaml": "who: inner two\n",
    "group_vars/inner.yml": "who: never read\n",
    "group_vars/zed": "letters: zed\n",
    "group_vars/yankee.json": '{"letters": "yankee"}',
    "host_vars/h2.yml": "who: h2 file\nn: 42\n",
    "host_vars/10.0.0.1": "dotted: found\n",
    "group_vars/.hidden.yml": "who: hidden\n",
    "README.md": "[not] an inventory",
}
EXPRESSIONS = {
    "who": "{{ who }}",
    "n": "{{ n }}",
    "name": "{{ inventory_hostname }}",
    "groups_of": "{{ group_names }}",
    "all_hosts": "{{ groups['all'] }}",
    "inner": "{{ groups['inner'] }}",
    "directory": "{{ inventory_dir }}",
    "environment": "{{ lookup('env', 'RMQOPS_TEST') }}",
    "no_environment": "{{ lookup('ansible.builtin.env', 'RMQOPS_TEST_NIX') }}",
    "else": "{{ lookup('env', 'RMQOPS_TEST_NIX', default='else') }}",
    "other": "{{ hostvars['h1'].n + 1 }}",
    "other_missing": "{{ hostvars['loose'].list | default('none') }}",
    "alone": "{{ [n, n] }}",
    "braces": "{{ {'a': {'b': n}} }}",
    "text": "{{ n }}{{ n }}",
    "space": " {{ n }} ",
    "truth": "{{ n == 40 }}",
    "block": "{% for x in from_file %}{{ x }};\n{% endfor %}",
    "trim": "{{- n -}}",
    "filters": "{{ from_file | map('upper') | list }}",
    "lazy": "{{ from_file | reject('equalto', 'a') }}",
    "nested": "{{ merged }}",
    "constant": "{{ 7 }}",
    "constants": "{{ 7 }}{{ 8 }}",
    "one_part": "{% if n == 40 %}{{ n }}{% endif %}",
    "none": "{% if n == 0 %}{{ n }}{% endif %}",
    "null": "{{ nothing }}",
    "null_text": "a{{ nothing }}",
    "list_text": "a{{ from_file }}",
}


def ansible(program: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def tricky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tricky")
    for name, text in TRICKY.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def parsed(location: Path) -> RawInventory:
    return inventories.read([str(location)])


SHIPPED = sorted(path.parent for path in assets.path("inventory").glob("*/hosts.yml"))


@pytest.mark.parametrize("location", [*SHIPPED, None], ids=lambda path: path.name if path else "tricky")
def test_merged_variables_and_groups(location: Path | None, tricky: Path) -> None:
    location = location or tricky
    listed: dict[str, Any] = json.loads(ansible("ansible-inventory", "-i", str(location), "--list"))
    mine = parsed(location)
    theirs = listed["_meta"]["hostvars"]
    for name, host in mine.hosts.items():
        assert host.variables == theirs.get(name, {}), name
    assert set(theirs) <= set(mine.hosts)
    for group, children in mine.children.items():
        if group in listed:
            assert set(listed[group].get("children", [])) <= set(children), group


def test_resolved_variables(tricky: Path, tmp_path: Path) -> None:
    template = {name: f"@{name}@" for name in EXPRESSIONS}
    task = {
        "ansible.builtin.copy": {
            "content": "{{ {" + ", ".join(f"'{name}': probe_{name}" for name in template) + "} | to_json }}",
            "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}.json",
        }
    }
    probes = {f"probe_{name}": text for name, text in EXPRESSIONS.items()}
    (tricky / "group_vars" / "all.yml").write_text(TRICKY["group_vars/all.yml"] + yaml_of(probes))
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    ansible(
        "ansible-playbook",
        "-i",
        str(tricky),
        str(playbook),
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        RMQOPS_TEST="from outside",
    )
    scopes = resolve(parsed(tricky), {}, {"RMQOPS_TEST": "from outside"})
    for host, scope in scopes.items():
        theirs = json.loads((tmp_path / f"{host}.json").read_text())
        assert {name: scope[f"probe_{name}"] for name in EXPRESSIONS} == theirs, host


def yaml_of(values: dict[str, str]) -> str:
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())


@pytest.mark.parametrize("name", [path.name for path in SHIPPED])
def test_what_a_playbook_sees_of_a_shipped_inventory(name: str, tmp_path: Path) -> None:
    """The role's defaults, resolved by Ansible in the role itself, are what rmqops resolves."""
    loaded = inventories.load(name)
    reference = inventories.reference()
    wanted = sorted({*reference.schema.settings} - {"rocketmq_dledger_id"})
    wanted += ["rocketmq_nameservers", "rocketmq_dledger_peers"]
    shown = "{{ {" + ", ".join(f"'{key}': {key}" for key in wanted) + "} | to_json }}"
    task = {
        "ansible.builtin.copy": {"content": shown, "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}.json"},
        "delegate_to": "localhost",
    }
    role = assets.path("roles", "rocketmq")
    play = {
        "hosts": "namesrv:brokers",
        "gather_facts": False,
        "roles": [{"role": str(tmp_path / "probe")}],
        "tasks": [task],
    }
    (tmp_path / "probe" / "defaults").mkdir(parents=True)
    (tmp_path / "probe" / "defaults" / "main.yml").write_text((role / "defaults" / "main.yml").read_text())
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([play]))
    ansible(
        "ansible-playbook",
        "-i",
        *loaded.topology.sources,
        str(playbook),
        "-e",
        json.dumps({"ansible_python_interpreter": sys.executable, "ansible_become": False}),
    )
    for instance in loaded.topology.instances:
        theirs = json.loads((tmp_path / f"{instance.name}.json").read_text())
        assert {key: instance.variables[key] for key in wanted} == theirs, instance.name

"""What rmqops makes of inventories that Ansible alone can read, or that it cannot, by asking it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rmqops.cli import app
from rmqops.errors import InventoryError
from rmqops.operations.change import playbook
from rmqops.operations.inventories import load, read
from tests.unit.model.conftest import FLEET

INI = """
[all:vars]
rocketmq_cluster=test
rocketmq_base_dir=/opt/rocketmq
[namesrv]
ns1 ansible_host=10.0.0.1
[lone]
l0 ansible_host=10.0.1.1 rocketmq_mode=single rocketmq_start_timeout=90
[brokers:children]
lone
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("RMQOPS_CACHE", str(tmp_path / "cache"))
    return work


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
        if text.startswith("#!"):
            Path(name).chmod(0o755)


@pytest.mark.parametrize(
    ("files", "place", "says"),
    [
        ({"i.yml": 'all:\n  hosts: {a: {x: "unterminated}\n'}, "i.yml", "by Ansible: YAML parsing failed"),
        ({"i": "[g\nfoo bar=\n"}, "i", "cannot be read by Ansible: "),
        ({"i.sh": "#!/bin/sh\nexit 3\n"}, "i.sh", "Inventory script returned non-zero exit code 3"),
        ({"i.yml": "plugin: aws_ec2\n"}, "i.yml", "specifies unknown plugin 'aws_ec2'"),
        ({"i.yml": "a: {children: {b: {children: {a: }}}}"}, "i.yml", "recursive dependency loop"),
        ({"i.yml": "all: {hosts: {a: }}", "group_vars/all.yml": "- x\n"}, "i.yml", "expected dicts"),
        (
            {"i.yml": "all: {hosts: {a: }}", "group_vars/all.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n"},
            "i.yml",
            "no vault secrets found",
        ),
    ],
    ids=["YAML", "INI", "program", "plug-in", "loop", "variables", "vault"],
)
@pytest.mark.parametrize("locale", ["de_DE.ISO-8859-1"])
def test_ansibles_reason_is_told(
    files: dict[str, str], place: str, says: str, locale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    write(files)
    with pytest.raises(InventoryError) as caught:
        load(next(iter(files)))
    told = [problem for problem in caught.value.problems if says in problem.message]
    assert told, [str(problem) for problem in caught.value.problems]
    assert all(place in problem.file and problem.remedy for problem in told)
    assert len(caught.value.problems) <= 2
    assert "Traceback" not in str(caught.value.detail)


def test_an_ini_inventory_is_read_and_names_host_and_inventory(capsys: pytest.CaptureFixture[str]) -> None:
    write({"hosts": INI})
    topology = load("hosts").topology
    assert topology.instance("l0").variables["rocketmq_start_timeout"] == 90
    write({"hosts": INI.replace("=90", "=soon")})
    assert app.run(["validate", "-i", "hosts"]) == 3
    assert "hosts  l0  rocketmq_start_timeout  found 'soon'" in capsys.readouterr().out


def test_the_names_of_a_host_decide_as_in_ansible() -> None:
    write({"i.yml": FLEET, "host_vars/l0.yml": "ansible_ssh_host: 10.9.9.9\nansible_ssh_port: 2022\n"})
    lone = load("i.yml").topology.instance("l0")
    assert (lone.host, lone.machine) == ("10.9.9.9", "10.9.9.9:2022")
    write({"host_vars/l0.yml": "ansible_ssh_port: many\n"})
    with pytest.raises(InventoryError) as caught:
        load("i.yml")
    assert [(problem.file, problem.key) for problem in caught.value.problems] == [
        ("host_vars/l0.yml:1", "ansible_ssh_port")
    ]


def test_several_are_one_inventory(capsys: pytest.CaptureFixture[str]) -> None:
    write({"common/group_vars/all.yml": "rocketmq_heap: 3g\n", "prod/hosts.yml": FLEET})
    topology = load(["common", "./prod"]).topology
    assert (topology.inventory, topology.sources) == ("common --inventory ./prod", ("common", "./prod"))
    assert {instance.text("rocketmq_heap") for instance in topology.instances} == {"3g"}
    assert app.run(["validate", "-i", "common", "-i", "./prod", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["inventory"] == ["common", "./prod"]


@pytest.mark.parametrize("command", [("validate",), ("destroy", "--confirm", "other"), ("status",)])
def test_several_inventories_of_different_clusters_are_refused(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The last one would be taken, and destroyed."""
    write({"a.yml": FLEET, "b.yml": FLEET.replace("rocketmq_cluster: test", "rocketmq_cluster: other")})
    assert app.run([*command, "-i", "a.yml", "-i", "b.yml"]) == 3
    said = capsys.readouterr()
    assert "another cluster" in said.out + said.err


def test_a_playbook_reads_what_rmqops_has_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several inventories, and what stands in the working directory."""
    hosts = "all: {{vars: {{ansible_connection: local, ansible_python_interpreter: '{}'}}, hosts: {{h: }}}}\n"
    write(
        {
            "a/hosts.yml": hosts.format(sys.executable),
            "b/group_vars/all.yml": "x: b\ny: b\n",
            "b/hosts": "h\n",
            "group_vars/all.yml": "y: here\n",
            "host_vars/h.yml": "z: here\n",
            "play.yml": json.dumps(
                [
                    {
                        "hosts": "all",
                        "gather_facts": False,
                        "tasks": [
                            {"copy": {"content": "{{ x }} {{ y }} {{ z }}", "dest": str(here / "seen")}},
                        ],
                    }
                ]
            ),
        }
    )
    monkeypatch.setattr(playbook, "_path", lambda _: here / "play.yml")
    monkeypatch.setattr(playbook, "UNCHECKED", ())
    raw = read(["a", "b"])
    playbook.run("play", raw.sources, hosts=(), log=here / "log", listener=lambda _: None)
    seen = " ".join(str(raw.hosts["h"].variables[name]) for name in "xyz")
    assert (here / "seen").read_text() == seen == "b here here"


def test_what_was_encrypted_is_not_put_in_clear_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"i.yml": FLEET, "password": "pw", "group_vars/all/vault.yml": "site: correct horse\n"})
    vault = Path(sys.executable).with_name("ansible-vault")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "password")
    subprocess.run([vault, "encrypt", "group_vars/all/vault.yml"], check=True, capture_output=True)
    assert read(["i.yml"]).hosts["l0"].variables["site"] == "correct horse"
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"correct horse" in path.read_bytes()]
    assert kept == []


def test_settings_of_the_operator_hold() -> None:
    write({"i.yml": FLEET, "ansible.cfg": "[inventory]\nignore_extensions = .never\n", "d/a.yml": FLEET})
    write({"d/b.md": "[all:vars]\nrocketmq_heap=3g\n"})
    assert read(["d"]).hosts["l0"].variables["rocketmq_heap"] == "3g"


def test_a_list_of_hosts_is_an_inventory() -> None:
    assert set(read(["h1,h2"]).hosts) == {"h1", "h2"}

"""Finding and reading inventories, and what `rmqops validate` says of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rmqops import assets
from rmqops.cli import app
from rmqops.errors import InventoryError
from rmqops.operations import inventories
from tests.unit.model.conftest import FLEET, LAPTOP

SHIPPED = sorted(path.parent.name for path in assets.path("inventory").glob("*/hosts.yml"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped_is_good(name: str, here: Path) -> None:
    loaded = inventories.load(name)
    assert loaded.topology.sources == (str(assets.path("inventory", name)),)
    assert len(loaded.warnings) <= 1
    assert bool(loaded.placeholders) is (name == "prod")
    assert len(loaded.placeholders) in {0, len(loaded.topology.instances)}


def test_the_quick_start_is_the_one_of_the_notes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMQOPS_ADDRESS", "10.1.2.3")
    topology = inventories.load("quickstart").topology
    assert topology.version == "4.4.0"
    assert [instance.address for instance in topology.instances] == ["10.1.2.3:9876", "10.1.2.3:10911"]
    named = [group.name for group in topology.groups]
    assert named == [os.uname().nodename], "it is told no brokerName, and RocketMQ takes its machine's name"
    assert [broker.group for broker in topology.brokers] == named


def test_an_inventory_of_ones_own_comes_before_a_shipped_one(here: Path) -> None:
    (here / "inventory" / "local").mkdir(parents=True)
    (here / "inventory" / "local" / "hosts.yml").write_text(LAPTOP)
    assert inventories.load("local").topology.cluster == "test"


def test_a_name_is_not_a_directory_that_happens_to_be_there(here: Path) -> None:
    (here / "local").mkdir()
    assert inventories.load("local").topology.cluster == "local"


@pytest.mark.parametrize("name", ["fleet.yml", "./fleet.yml", "inventory/mine.yml", "mine"])
def test_files(name: str, here: Path) -> None:
    (here / "inventory").mkdir()
    for place in ("fleet.yml", "inventory/mine.yml"):
        (here / place).write_text(FLEET)
    (here / "group_vars").mkdir()
    (here / "group_vars" / "all.yml").write_text("rocketmq_drillable: true")
    loaded = inventories.load(name)
    assert loaded.topology.cluster == "test"
    assert loaded.topology.drillable, "what stands in the working directory holds for any inventory, as in Ansible"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "no such inventory"),
        (lambda path: path.mkdir(), "no inventory file"),
        (lambda path: path.write_text("[namesrv]\nns1\n"), "there is no broker group"),
        (lambda path: path.write_text("[namesrv\nns1\n"), "cannot be read by Ansible: "),
        (lambda path: (path / "deep").mkdir(parents=True), "no inventory file"),
        (os.mkfifo, "no such inventory"),
    ],
    ids=["missing", "empty directory", "INI without brokers", "INI that is none", "nested", "pipe"],
)
def test_what_is_refused(make: object, says: str, here: Path) -> None:
    make(here / "bad")  # type: ignore[operator]
    with pytest.raises(InventoryError, match="nothing was touched") as caught:
        inventories.load("./bad")
    assert any(says in problem.message for problem in caught.value.problems)


def test_the_heap_is_held_to_this_machine(here: Path) -> None:
    (here / "big.yml").write_text(LAPTOP.replace("rocketmq_heap: 128m", "rocketmq_heap: 9t"))
    with pytest.raises(InventoryError) as caught:
        inventories.load("big.yml")
    assert [problem.key for problem in caught.value.problems if problem.severity == "error"] == ["rocketmq_heap"]


def test_validate_says_ok(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "fleet.yml").write_text(FLEET)
    assert app.run(["validate", "-i", "fleet.yml"]) == 0
    expected = "ok: cluster test, RocketMQ 4.5.2, 8 instances: 2 NameServers, groups alpha (dledger, 3), "
    assert capsys.readouterr().out == f"{expected}pair (master-slave, 2), lone (single, 1)\n"


def test_validate_says_what_is_wrong(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "fleet.yml").write_text(FLEET.replace("rocketmq_dledger_id: n1", "rocketmq_dledger_id: 1n"))
    assert app.run(["validate", "-i", "fleet.yml"]) == 3
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "error: is not one letter and a number",
        "    fleet.yml:16  a1  rocketmq_dledger_id  found 1n",
        "  → Use n0, n1 and n2",
    ]
    assert said.err == "error: 1 problem in the inventory; nothing was touched\n"


@pytest.mark.parametrize(("broken", "code"), [(False, 0), (True, 3)])
def test_validate_as_json(broken: bool, code: int, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "fleet.yml").write_text(FLEET.replace("10.0.1.0", "fe80::1") if broken else FLEET)
    assert app.run(["validate", "-i", "fleet.yml", "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is not broken
    if broken:
        [problem] = found["problems"]
        assert (problem["host"], problem["key"], problem["severity"]) == ("a0", "ansible_host", "error")
    else:
        assert found["problems"] == []
        assert found["instances"][2] == {
            "name": "a0",
            "kind": "broker",
            "group": "alpha",
            "host": "10.0.1.0",
            "address": "10.0.1.0:10911",
        }

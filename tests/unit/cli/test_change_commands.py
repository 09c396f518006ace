"""The commands that change a cluster, on this machine, where nothing is deployed: wiring, exit codes, output."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
import yaml

from rmqops.cli import app
from rmqops.operations import inventories
from rmqops.operations.change import audit, lock
from tests.support.clusters import dledger_inventory, free_port_base

PROD = str(Path(__file__).parents[3] / "inventory" / "prod")


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster of a name of its own, so that its lock is nobody else's."""
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path / "state"))
    described = dledger_inventory(tmp_path / "srv", free_port_base())
    described["all"]["vars"]["rocketmq_cluster"] = f"unit-{uuid.uuid4().hex[:8]}"
    path = tmp_path / "inventory.yml"
    path.write_text(yaml.safe_dump(described, sort_keys=False))
    return path


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_what_is_not_deployed_is_not_touched(
    verb: str, inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run([verb, "namesrv-1", "--inventory", str(inventory)]) == 1
    shown = capsys.readouterr()
    assert (shown.out, "namesrv-1 is not deployed" in shown.err) == ("", True)
    assert app.run([verb, "nobody", "--inventory", str(inventory)]) == 2
    (entry,) = audit.entries()
    assert (entry.verb, entry.outcome) == (verb, "failed")


def test_destroy_takes_the_clusters_name_alone(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = yaml.safe_load(inventory.read_text())["all"]["vars"]["rocketmq_cluster"]
    assert app.run(["destroy", "--confirm", "another", "--inventory", str(inventory)]) == 5
    assert audit.entries() == []
    assert app.run(["destroy", "--confirm", cluster, "--inventory", str(inventory)]) == 0
    assert capsys.readouterr().out == "there was nothing to remove\n"
    assert [entry.outcome for entry in audit.entries()] == ["done"]


def test_a_plan_of_what_is_not_there_creates_all_of_it(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["plan", "--json", "--inventory", str(inventory)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {change["action"] for change in document["changes"]} == {"create"}
    assert len(document["changes"]) == 6
    assert all(len(change["carried"]) == 1 and change["drift"] == [] for change in document["changes"])
    assert app.run(["plan", "--exit-code", "--limit", "namesrv-2", "--inventory", str(inventory)]) == 1
    assert "1 of 1 instances would change" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["plan", "deploy"])
def test_a_sample_is_refused_by_both(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run([verb, "--inventory", PROD]) == 5
    assert "is a sample" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["promote", "broker-a-1"], 5, "elects its master by itself"),
        (["promote", "nobody"], 2, "has no broker nobody"),
    ],
)
def test_who_cannot_be_promoted(
    arguments: list[str], code: int, says: str, inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run([*arguments, "--inventory", str(inventory)]) == code
    assert says in capsys.readouterr().err


def test_a_lock_is_broken_under_its_clusters_name_and_goes_on_record(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topology = inventories.load(str(inventory)).topology
    asked = ["unlock", "--inventory", str(inventory)]
    assert app.run([*asked, "--confirm", "another"]) == 5
    assert app.run([*asked, "--confirm", topology.cluster]) == 0
    assert f"nobody holds the lock of {topology.cluster}" in capsys.readouterr().out
    with lock.held(topology, "deploy"):
        assert app.run(["topic", "create", "T", "--inventory", str(inventory)]) == 5
        assert "rmqops deploy" in capsys.readouterr().err
        assert app.run(asked) == 5, "nobody is there to type the name"
        assert "held by" in capsys.readouterr().err
        assert app.run([*asked, "--confirm", topology.cluster, "--json"]) == 0
        (broken,) = json.loads(capsys.readouterr().out)["broken"]
        assert broken["holder"].endswith("rmqops deploy")
        assert audit.entries()[0].verb == "unlock"
        assert "broke the lock of" in audit.entries()[0].plan[0]
        with lock.held(topology, "restart"):
            pass


def test_a_plan_tells_of_a_fault_and_a_deploy_refuses(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    topology = inventories.load(str(inventory)).topology
    home = Path(topology.instance("broker-a-1").home)
    (home / "heals").mkdir(parents=True)
    (home / ".rmqops").write_text(f"{topology.cluster}/broker-a-1\n")
    (home / "heals" / "f-1.sh").write_text("exit 1\n")
    assert app.run(["plan", "--json", "--inventory", str(inventory)]) == 0
    assert "the heal of fault f-1" in json.loads(capsys.readouterr().out)["problems"][0]
    assert app.run(["status", "--json", "--inventory", str(inventory)]) == 1
    assert any("the heal of fault f-1" in text for text in json.loads(capsys.readouterr().out)["problems"])
    assert app.run(["chaos", "heal", "--limit", "namesrv-1", "--inventory", str(inventory)]) == 0
    assert app.run(["chaos", "heal", "--inventory", str(inventory)]) == 7
    assert app.run(["chaos", "heal", "--forget", "--json", "--inventory", str(inventory)]) == 7
    assert "yours to end" in capsys.readouterr().out
    assert not (home / "heals").exists()


def test_destroy_ends_a_fault_before_anything_is_removed(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topology = inventories.load(str(inventory)).topology
    home = Path(topology.instance("broker-a-1").home)
    (home / "heals").mkdir(parents=True)
    heal = home / "heals" / "f-1.sh"
    heal.write_text("exit 1\n")
    asked = ["destroy", "--confirm", topology.cluster, "--inventory", str(inventory)]
    assert app.run(asked) == 7
    assert heal.exists()
    heal.write_text(f"echo > '{home}/healed'\n")
    assert app.run(asked) == 0
    shown = capsys.readouterr()
    assert "heal f-1 on broker-a-1" in shown.err
    assert ((home / "healed").exists(), heal.parent.exists()) == (True, False)
    assert [entry.outcome for entry in audit.entries()] == ["done", "failed"]

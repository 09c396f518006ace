"""Commands that ask NameServers and brokers, against a scripted fleet over the real protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rmqops.cli import app
from tests.support.scripted_fleet import ScriptedFleet

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedFleet]:
    """A deployed fleet with a consumer group."""
    with ScriptedFleet(tmp_path) as made:
        made.deploy()
        for broker in made.topology.brokers:
            made.instances[broker.name].groups = {"billing": {"groupName": "billing"}, "TOOLS_CONSUMER": {}}
        yield made


@pytest.fixture
def run(scripted: ScriptedFleet, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command against it; return its code and what it wrote on its two outputs."""

    def made(*arguments: str) -> tuple[int, str, str]:
        code = app.run([*arguments, "--inventory", scripted.topology.inventory])
        written = capsys.readouterr()
        return code, written.out, written.err

    return made


def test_a_topics_life(run: Run) -> None:
    code, out, _ = run("topic", "create", "orders", "--queues", "2", "--json")
    created = json.loads(out)
    assert (code, [group["write"] for group in created["groups"]]) == (0, [2, 2])
    assert run("topic", "list")[:2] == (0, "orders\n")
    assert json.loads(run("topic", "list", "--json")[1])["topics"] == ["orders"]
    code, out, _ = run("topic", "describe", "orders")
    assert (code, "orders: 0 messages" in out, "broker-b-1" in out) == (0, True, True)
    assert json.loads(run("topic", "describe", "orders", "--json")[1]) == created
    assert run("topic", "delete", "orders")[0] == 5, "its name was not typed"
    assert json.loads(run("topic", "delete", "orders", "--yes", "--json")[1])["topic"] == "orders"
    code, out, err = run("topic", "delete", "orders", "--yes")
    assert (code, out, "nobody has the topic orders" in err) == (1, "", True)
    code, out, err = run("topic", "describe", "orders")
    assert (code, out, "no NameServer knows the topic orders" in err) == (1, "", True)


def test_what_topics_may_not_be(run: Run) -> None:
    assert run("topic", "create", "orders", "--permission", "x")[0] == 2
    assert run("topic", "create", "TBW102")[0] == 5
    assert run("topic", "create", "orders", "--group", "broker-z")[0] == 2


def test_consumer_groups(run: Run) -> None:
    code, out, _ = run("group", "list")
    assert (code, "billing" in out, "TOOLS_CONSUMER" in out) == (0, True, False)
    assert "TOOLS_CONSUMER" in run("group", "list", "--all")[1]
    names = [group["name"] for group in json.loads(run("group", "list", "--json")[1])["groups"]]
    assert names == ["TOOLS_CONSUMER", "billing"]
    code, out, _ = run("group", "describe", "billing")
    assert (code, "billing: nobody connected" in out) == (0, True)
    assert json.loads(run("group", "describe", "billing", "--json")[1])["lag"] == 0
    code, _, err = run("group", "describe", "nobody")
    assert (code, "no broker knows the consumer group nobody" in err) == (1, True)


def test_status_tells_what_is_wrong_by_its_exit_code(run: Run, scripted: ScriptedFleet) -> None:
    code, out, _ = run("status")
    assert (code, "healthy" in out.splitlines()) == (0, True)
    scripted.kill("broker-a-1")
    code, out, _ = run("status", "--json")
    document = json.loads(out)
    assert (code, document["healthy"], document["drift"]) == (1, False, [])
    assert any("broker-a-1 does not answer" in problem for problem in document["problems"])

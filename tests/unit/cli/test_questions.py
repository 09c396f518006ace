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


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x" * 128, "1 to 127 bytes"),
        ("%RETRY%" + "x" * 121, "1 to 127 bytes"),
        ("", "1 to 127 bytes"),
        ("\udcff", "1 to 127 bytes"),
        ("a topic", "letters, digits"),
        ("café", "letters, digits"),
        ("a/b", "letters, digits"),
    ],
)
def test_a_name_that_no_broker_can_store_or_no_client_use_is_refused_before_anybody_is_asked(
    run: Run, scripted: ScriptedFleet, name: str, told: str
) -> None:
    for server in scripted.topology.instances:
        scripted.kill(server.name)
    code, out, err = run("topic", "create", name)
    assert (code, out, told in err) == (2, "", True)
    if "bytes" in told:
        assert run("topic", "describe", name)[0] == 2
        assert run("topic", "delete", name, "--yes")[0] == 2


def test_the_longest_name_is_taken(run: Run) -> None:
    assert run("topic", "create", "x" * 127)[0] == 0
    assert run("group", "describe", "x" * 256)[0] == 2
    assert run("group", "describe", "\udcff")[0] == 2


@pytest.mark.parametrize("number", ["0", "1025", "-1", "x"])
@pytest.mark.parametrize("option", ["--queues", "--read-queues"])
def test_numbers_of_queues_out_of_range_are_refused(run: Run, option: str, number: str) -> None:
    assert run("topic", "create", "orders", f"{option}={number}")[:2] == (2, "")


def test_queues_that_nobody_could_read_are_refused(run: Run) -> None:
    code, out, err = run("topic", "create", "orders", "--queues", "8", "--read-queues", "4")
    assert (code, out, "nobody could read but the first 4" in err) == (5, "", True)
    assert run("topic", "create", "orders", "--queues", "8", "--read-queues", "4", "--permission", "r")[0] == 0


def test_fewer_queues_are_refused_while_the_others_hold_what_was_not_read(
    run: Run, scripted: ScriptedFleet
) -> None:
    assert run("topic", "create", "orders", "--queues", "8")[0] == 0
    master = scripted.instances["broker-a-0"]
    master.queues = {("orders", 3): [b"x"] * 5, ("orders", 6): [b"x"] * 2, ("orders", 7): [b"x"] * 10}
    code, out, err = run("topic", "create", "orders", "--queues", "4")
    assert (code, out) == (5, "")
    assert "12 messages in the others were not read" in err
    assert "broker-a queue 6: 2 messages that no consumer group has read" in err
    assert "queue 3" not in err, "it stays"
    assert scripted.instances["broker-b-0"].topics["orders"]["readQueueNums"] == 8, "nothing was changed"

    master.groups["shipping"] = {"groupName": "shipping"}
    master.consumed = {("billing", "orders", 7): 10, ("billing", "orders", 6): 2, ("shipping", "orders", 7): 9}
    code, _, err = run("topic", "create", "orders", "--queues", "4")
    assert (code, "queue 7: 1 messages that shipping has not read" in err) == (5, True)
    assert "queue 6: 2 messages that shipping has not read" in err

    assert run("topic", "create", "orders", "--queues", "4", "--read-queues", "8")[0] == 0, "the way out"
    master.consumed |= {("shipping", "orders", 7): 10, ("shipping", "orders", 6): 2}
    assert run("topic", "create", "orders", "--queues", "4")[0] == 0

    assert run("topic", "create", "orders", "--queues", "8")[0] == 0
    master.consumed.clear()
    assert run("topic", "create", "orders", "--queues", "4")[0] == 5
    assert run("topic", "create", "orders", "--queues", "4", "--hide-unread")[0] == 0


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

"""``rmqops topic`` and ``rmqops group`` as a user runs them, on real brokers, with the official push consumer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.remoting.client import Client
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged
from rmqops.remoting.producer import Producer
from tests.remoting.wire import Wire, running
from tests.support.clusters import Cluster, Done, rmqops
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

CLUSTER = "the cluster's own name"


@dataclass
class Place:
    """A running cluster of two groups, of which the inventory names one NameServer more: one that is dead."""

    wire: Wire
    inventory: Path

    def run(self, *arguments: str) -> Done:
        return rmqops(*arguments, "-i", str(self.inventory))

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.code == 0, done
        return json.loads(done.stdout)

    def send(self, topic: str, count: int) -> None:
        asyncio.run(self._send(topic, count))

    async def _send(self, topic: str, count: int) -> None:
        async with Client() as client, Producer(client, [self.wire.nameserver]) as producer:
            for number in range(count):
                assert isinstance(await producer.send(topic, Message(b"%d" % number)), Acknowledged)


@pytest.fixture(scope="module")
def place(make_cluster: Callable[..., Cluster]) -> Place:
    wire = running(make_cluster, groups=2)
    document = yaml.safe_load(wire.cluster.inventory.read_text())
    servers = document["all"]["children"]["namesrv"]["hosts"]
    servers["namesrv-2"] = {"rocketmq_listen_port": servers["namesrv-1"]["rocketmq_listen_port"] + 5}
    path = wire.cluster.inventory.with_name("one-is-dead.yml")
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return Place(wire, path)


@pytest.fixture
def sound(place: Place) -> Place:
    """The same without the NameServer that is dead: creating and deleting wants every one."""
    return Place(place.wire, place.wire.cluster.inventory)


@pytest.fixture
def consume(
    place: Place, rocketmq_home: Path, tmp_path: Path
) -> Iterator[Callable[[str, str, str], subprocess.Popen[str]]]:
    """Start members of consumer groups."""
    started: list[subprocess.Popen[str]] = []

    def start(group: str, topic: str, instance: str) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("java_consumer.py")
        with (tmp_path / f"{instance}.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable, str(script), str(rocketmq_home), place.wire.nameserver,
                    str(tmp_path), group, topic, instance,
                ],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        assert any(line == "ready\n" for line in process.stdout), (tmp_path / f"{instance}.log").read_text()[
            -2000:
        ]
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_topic_from_its_creation_to_its_end(sound: Place) -> None:
    made = sound.json("topic", "create", "orders", "--queues", "4")

    assert [(group["name"], group["write"], group["permission"]) for group in made["groups"]] == [
        ("group-0", 4, "rw"),
        ("group-1", 4, "rw"),
    ]
    sound.send("orders", 80)
    seen = until(
        lambda: sound.json("topic", "describe", "orders"),
        "80 messages",
        good=lambda seen: seen["messages"] == 80,
    )
    assert [group["share"] for group in seen["groups"]] == [0.5, 0.5]
    queues = [queue for group in seen["groups"] for member in group["members"] for queue in member["queues"]]
    assert [(queue["min"], queue["max"]) for queue in queues] == [(0, 10)] * 8
    assert seen["differences"] == []
    assert "orders" in sound.json("topic", "list")["topics"]
    assert "50.0%" in sound.run("topic", "describe", "orders").stdout

    deleted = sound.json("topic", "delete", "orders", "--yes")

    assert set(deleted["deleted_on"]) == {"broker-0", "broker-1", "namesrv-1"}
    assert "orders" not in sound.json("topic", "list")["topics"]
    gone = sound.run("topic", "describe", "orders")
    assert (gone.code, gone.stdout) == (1, "")
    assert "no NameServer knows the topic orders" in gone.stderr


def test_a_topic_on_one_group_for_readers_only(sound: Place) -> None:
    made = sound.json(
        "topic", "create", "archive", "-g", "group-1", "--queues", "2", "--read-queues", "3", "--permission", "r"
    )

    assert [(each["name"], each["write"], each["read"], each["permission"]) for each in made["groups"]] == [
        ("group-1", 2, 3, "r")
    ]
    changed = sound.json("topic", "create", "archive", "-g", "group-1", "--queues", "5")
    assert [(each["write"], each["read"], each["permission"]) for each in changed["groups"]] == [(5, 5, "rw")]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("topic", "delete", "TBW102", "--yes"), 5, "a topic of the system"),
        (("topic", "delete", "group-0", "--yes"), 5, "a topic of the system"),
        (("topic", "create", CLUSTER), 5, "a topic of the system"),
        (("topic", "delete", "kept"), 5, "was not typed in"),
        (("topic", "delete", "never-made", "--yes"), 1, "nobody has the topic never-made"),
        (("topic", "create", "x", "-g", "group-9"), 2, "there is no group group-9"),
        (("topic", "create", "x", "--permission", "z"), 2, "--permission is z"),
        (("topic", "create", "a b"), 2, "'a b' is no name for a topic"),
        (("topic", "describe", "never-made"), 1, "no NameServer knows the topic never-made"),
        (("group", "describe", "never-seen"), 1, "no broker knows the consumer group never-seen"),
    ],
)
def test_what_is_refused(sound: Place, arguments: tuple[str, ...], code: int, said: str) -> None:
    name = sound.wire.topology.cluster
    done = sound.run(*(name if argument == CLUSTER else argument for argument in arguments))

    assert (done.code, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_nameserver_that_is_dead_is_told_of(place: Place) -> None:
    listed = place.json("topic", "list")
    assert [text.split(":")[0] for text in listed["differences"]] == ["namesrv-2 does not answer"]
    assert {"TBW102", "group-0", "group-1"} & set(listed["system"])
    assert place.run("topic", "list").code == 0


def test_who_consumes_what_and_how_far_behind(
    sound: Place, consume: Callable[[str, str, str], subprocess.Popen[str]]
) -> None:
    sound.json("topic", "create", "stock", "--queues", "4")
    sound.send("stock", 40)
    first = consume("counters", "stock", "first")
    second = consume("counters", "stock", "second")

    def look() -> Any:
        return sound.json("group", "describe", "counters")

    def balanced(seen: Any) -> bool:
        held = [queue["clients"] for queue in seen["queues"] if queue["topic"] == "stock"]
        return (
            seen["lag"] == 0
            and len(seen["members"]) == 2
            and len(held) == 8
            and all(len(one) == 1 for one in held)
        )

    seen = until(look, "every queue has a member", 120, good=balanced)
    mine = [queue for queue in seen["queues"] if queue["topic"] == "stock"]
    assert len(seen["members"]) == 2
    assert {member["client"].rsplit("@")[-1] for member in seen["members"]} == {"first", "second"}
    assert sorted(
        len([queue for queue in mine if queue["clients"] == [each["client"]]]) for each in seen["members"]
    ) == [4, 4]
    assert (seen["kind"], seen["model"], seen["subscriptions"]["stock"]) == (
        "CONSUME_PASSIVELY",
        "CLUSTERING",
        "*",
    )
    assert sum(queue["consumed"] for queue in mine) == 40

    for process in (first, second):
        process.kill()
        process.wait()
    sound.send("stock", 24)
    left = until(look, "24 messages are left", 120, good=lambda seen: seen["lag"] == 24)
    until(look, "the dead members are forgotten", 120, good=lambda seen: not seen["members"])
    assert sum(queue["lag"] for queue in left["queues"]) == 24
    listed = {group["name"]: group for group in sound.json("group", "list")["groups"]}
    assert (listed["counters"]["lag"], listed["counters"]["topics"]) == (24, ["%RETRY%counters", "stock"])
    assert "counters" in sound.run("group", "list").stdout
    assert "24 messages left" in sound.run("group", "describe", "counters").stdout

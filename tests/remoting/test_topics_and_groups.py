"""``rmqops topic`` and ``rmqops group`` as a user runs them, on real brokers, with the official push consumer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
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
from tests.remoting.lab import Lab, running_lab
from tests.support.clusters import Done, rmqops

pytestmark = pytest.mark.e2e


@dataclass
class Place:
    """A running cluster of two groups, of which the inventory names one NameServer more: one that is dead."""

    lab: Lab
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
        async with Client() as client, Producer(client, [self.lab.nameserver]) as producer:
            for number in range(count):
                assert isinstance(await producer.send(topic, Message(b"%d" % number)), Acknowledged)


@pytest.fixture(scope="module")
def place(distribution: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("two-groups")
    with running_lab(distribution, directory, groups=2) as lab:
        yield Place(lab, _inventory(lab, directory))


def _inventory(lab: Lab, directory: Path) -> Path:
    port = int(lab.nameserver.rsplit(":")[-1])
    brokers = {
        f"group-{number}": {"hosts": {f"broker-{number}": {"rocketmq_listen_port": int(address.rsplit(":")[-1])}}}
        for number, address in enumerate(lab.brokers)
    }
    described = {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_host": "127.0.0.1",
                "rocketmq_cluster": lab.cluster,
                "rocketmq_version": "4.5.2",
                "rocketmq_supervisor": "detached",
                "rocketmq_base_dir": str(directory / "srv"),
                "rocketmq_heap": "128m",
                "rocketmq_direct_memory": "128m",
            },
            "children": {
                "namesrv": {
                    "hosts": {
                        "namesrv-1": {"rocketmq_listen_port": port},
                        "namesrv-2": {"rocketmq_listen_port": port + 29},
                    }
                },
                "brokers": {"vars": {"rocketmq_mode": "single"}, "children": brokers},
            },
        }
    }
    path = directory / "inventory.yml"
    path.write_text(yaml.safe_dump(described, sort_keys=False))
    return path


def _alive(place: Place, directory: Path) -> Path:
    """Write the same inventory without the NameServer that is dead: creating and deleting wants every one."""
    described = yaml.safe_load(place.inventory.read_text())
    del described["all"]["children"]["namesrv"]["hosts"]["namesrv-2"]
    path = directory / "alive.yml"
    path.write_text(yaml.safe_dump(described, sort_keys=False))
    return path


@pytest.fixture
def sound(place: Place, tmp_path: Path) -> Place:
    return Place(place.lab, _alive(place, tmp_path))


@pytest.fixture
def consume(place: Place, tmp_path: Path) -> Iterator[Callable[[str, str, str], subprocess.Popen[str]]]:
    """Start members of consumer groups."""
    started: list[subprocess.Popen[str]] = []

    def start(group: str, topic: str, instance: str) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("java_consumer.py")
        with (tmp_path / f"{instance}.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable, str(script), str(place.lab.distribution), place.lab.nameserver,
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


def _until(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s; last seen: {seen}"
        time.sleep(0.5)
    return seen


def test_a_topic_from_its_creation_to_its_end(sound: Place) -> None:
    made = sound.json("topic", "create", "orders", "--queues", "4")

    assert [(group["name"], group["write"], group["permission"]) for group in made["groups"]] == [
        ("group-0", 4, "rw"),
        ("group-1", 4, "rw"),
    ]
    sound.send("orders", 80)
    seen = _until(lambda: sound.json("topic", "describe", "orders"), lambda seen: seen["messages"] == 80)
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
        (("topic", "create", "Test"), 5, "a topic of the system"),
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
    done = sound.run(*arguments)

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

    def balanced(seen: Any) -> bool:
        held = [queue["clients"] for queue in seen["queues"] if queue["topic"] == "stock"]
        return (
            seen["lag"] == 0
            and len(seen["members"]) == 2
            and len(held) == 8
            and all(len(one) == 1 for one in held)
        )

    seen = _until(lambda: sound.json("group", "describe", "counters"), balanced)
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
    left = _until(lambda: sound.json("group", "describe", "counters"), lambda seen: seen["lag"] == 24)
    _until(lambda: sound.json("group", "describe", "counters"), lambda seen: not seen["members"])
    assert sum(queue["lag"] for queue in left["queues"]) == 24
    listed = {group["name"]: group for group in sound.json("group", "list")["groups"]}
    assert (listed["counters"]["lag"], listed["counters"]["topics"]) == (24, ["%RETRY%counters", "stock"])
    assert "counters" in sound.run("group", "list").stdout
    assert "24 messages left" in sound.run("group", "describe", "counters").stdout

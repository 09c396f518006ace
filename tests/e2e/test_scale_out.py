"""A third group joins a running cluster under load: it takes its share, and no client of either kind fails."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.remoting.client import Client
from rmqops.remoting.group_admin import GroupAdmin
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Outcome
from rmqops.remoting.producer import Producer
from rmqops.system import waiting
from tests.support.clusters import Cluster, dledger_inventory, must
from tests.support.official import official

pytestmark = pytest.mark.e2e

GROUPS = ("broker-a", "broker-b", "broker-c")
QUEUES = 4


def inventory(base: Path, port: int, version: str = "4.5.2") -> dict[str, Any]:
    """Describe two NameServers and three groups of one broker."""
    found = dledger_inventory(base, port, version)
    children = found["all"]["children"]
    del children["namesrv"]["hosts"]["namesrv-3"]
    children["brokers"]["vars"] |= {"rocketmq_mode": "single", "rocketmq_heap": "256m"}
    children["brokers"]["children"] = {
        name: {"hosts": {f"{name}-0": {"rocketmq_listen_port": port + 10 + 10 * place}}}
        for place, name in enumerate(GROUPS)
    }
    return found


@pytest.fixture
def two(make_cluster: Callable[..., Cluster]) -> tuple[Cluster, Cluster]:
    """A running cluster of two groups, and the same with a third one in its inventory."""
    third = make_cluster(describe=inventory)
    described = yaml.safe_load(third.inventory.read_text())
    del described["all"]["children"]["brokers"]["children"]["broker-c"]
    path = third.inventory.with_name("two.yml")
    path.write_text(yaml.safe_dump(described, sort_keys=False))
    running = Cluster(path, third.base)
    running.must("deploy", "--yes")
    return running, third


def addresses(cluster: Cluster) -> list[str]:
    return [server.address for server in cluster.topology.nameservers]


async def send(cluster: Cluster, topic: str, enough: Callable[[list[Outcome]], bool]) -> list[Outcome]:
    """Send by our own producer, one message after the other, until that is enough."""
    outcomes: list[Outcome] = []
    async with Client() as client, Producer(client, addresses(cluster), poll_interval=2) as producer:
        while not enough(outcomes):
            outcomes.append(await producer.send(topic, Message(b"own %d" % len(outcomes))))
            await asyncio.sleep(0.01)
    return outcomes


async def test_a_third_group_joins_under_load(
    two: tuple[Cluster, Cluster], rocketmq_home: Path, tmp_path: Path
) -> None:
    running, third = two
    for topic, *groups in (("orders",), ("elsewhere", "--group", "broker-b")):
        running.must("topic", "create", topic, "--queues", str(QUEUES), *groups)
    old = [broker.address for broker in running.topology.brokers]
    new = third.topology.instance("broker-c-0").address
    async with Client() as client:
        for broker in old:
            await GroupAdmin(client).create_group(broker, "careful", {"retryMaxTimes": 3})
    pids = {name: running.pid(name) for name in ("broker-a-0", "broker-b-0")}

    with official(rocketmq_home, addresses(running), tmp_path, "orders") as ask:
        grown = asyncio.create_task(
            asyncio.to_thread(third.must, "scale-out", "broker-c", "--yes", "--json", RMQOPS_STATE=str(tmp_path))
        )
        since = 0

        def enough(outcomes: list[Outcome]) -> bool:
            nonlocal since
            since = since if grown.done() else len(outcomes)
            return len(outcomes) - since >= 600

        outcomes = await send(running, "orders", enough)
        told = json.loads((await grown).stdout)
        sent = ask()
        everything = {f"own {number}" for number in range(len(outcomes))}
        everything |= {f"official {number}" for number in range(sent["number"])}

        async def missing() -> str | None:
            return ", ".join(sorted(everything - set(ask()))) or None

        await waiting.until("every message received", missing, 60, interval=0.5)
        received = set(ask())

    assert [outcome for outcome in outcomes if not isinstance(outcome, Acknowledged)] == []
    assert sent["failed"] == []
    assert received == everything
    shares = Counter(outcome.broker for outcome in outcomes[-300:] if isinstance(outcome, Acknowledged))
    assert shares == dict.fromkeys(GROUPS, 100)
    assert sent["sent"].keys() == set(GROUPS)

    assert told["changed"] == ["broker-c-0"]
    assert told["topics"] == {"broker-c": ["orders"]}
    assert told["left"] == {"elsewhere": ["broker-b"]}
    assert {name: running.pid(name) for name in pids} == pids
    described = json.loads(third.must("topic", "describe", "orders", "--json").stdout)
    assert [(group["name"], group["write"]) for group in described["groups"]] == [
        (name, QUEUES) for name in GROUPS
    ]
    assert described["differences"] == []
    async with Client() as client:
        settings = await GroupAdmin(client).subscription_groups(new)
        assert settings["careful"]["retryMaxTimes"] == 3
        assert "elsewhere" not in await GroupAdmin(client).topic_configs(new)

    again = third.must("scale-out", "broker-c")
    assert again.stdout == "broker-c healthy; topics spread: none was missing\n"
    (entry,) = json.loads(must("audit", "--json", RMQOPS_STATE=str(tmp_path)).stdout)
    assert (entry["verb"], entry["outcome"]) == ("scale-out", "done")
    assert entry["plan"][0] == "broker-c-0: create"
    assert entry["plan"][1].startswith("broker-c gets topic orders (4 queues), consumer group ")
    for arguments, code, said in (
        (("broker-z",), 2, "there is no group broker-z"),
        (GROUPS, 2, "has no other group to take topics from"),
        (("broker-c", "--topic", "nowhere"), 2, "no group has a topic nowhere"),
    ):
        refused = third.rmqops("scale-out", *arguments)
        assert (refused.code, said in refused.stderr) == (code, True), refused
    told_by_the_old = running.rmqops("status", "--json")
    assert told_by_the_old.code == 1
    (problem,) = json.loads(told_by_the_old.stdout)["problems"]
    assert problem.startswith(
        f"broker-c ({new}) is registered with namesrv-1, namesrv-2 and is not in the inventory"
    )
    assert json.loads(running.must("plan", "--json").stdout)["unlisted"] == [problem]

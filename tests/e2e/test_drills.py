"""Each drill that rmqops ships, but kill-master, against a real cluster on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.chaos import drill as drills
from rmqops.chaos.run import heal
from rmqops.operations.observe import health
from rmqops.remoting.client import Client
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged
from rmqops.remoting.producer import Producer
from tests.support.clusters import Cluster, must
from tests.support.drilling import SHORT, STRUCK, drill, findings, routes_may_fail, the_run
from tests.support.official import official

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("quiet")]


OWN = """
name: of-ones-own
description: a NameServer and a slave at once
proves: [something]
does_not_prove: [anything else]
phases:
  - strikes:
      - {fault: kill, target: slave}
      - {fault: pause, target: namesrv}
load: {topics: 2, consumers: 2, from_slaves: 1, choice: by-key, keys: 6}
"""


OFFICIAL = """
name: official-client
description: the official client, while a producer and a consumer die, and then the master
proves: [something]
does_not_prove: [anything else]
phases:
  - strikes:
      - {fault: kill, target: producer}
      - {fault: kill, target: consumer-3}
  - strikes: [{fault: kill, target: master}]
load:
  {driver: java, producers: 2, consumers: 3, groups: 2, rate: 10, choice: by-key, keys: 6,
   client: {pollNameServerInterval: 1000, heartbeatBrokerInterval: 5000}}
times: {before: 5, hold: 2, after: 2}
"""


@pytest.fixture(autouse=True)
def _healthy(cluster: Cluster) -> Iterator[None]:
    """End each test with a healthy cluster in which nothing is armed; it begins with one."""
    yield
    health.wait(cluster.topology)
    assert heal.armed(cluster.topology) == ()


SERVED_ALL_ALONG = ("kill-namesrvs", "kill-all-namesrvs", "terminate-master", "kill-clients")
"""Drills that ship and expect the same: that the service goes on."""


def in_one(names: Sequence[str]) -> dict[str, object]:
    """Describe one drill whose phases are those of several that ship; each alone: tests/soak/drills.py."""
    shipped = [yaml.safe_load(drills.text(name)[0]) for name in names]
    return {
        "name": "in-one",
        "description": ", ".join(names),
        "proves": ["what each of them proves"],
        "does_not_prove": ["that one of them alone passes"],
        "phases": [phase for each in shipped for phase in each["phases"]],
        "load": {name: value for each in shipped for name, value in each.get("load", {}).items()},
        "allows": [allowance for each in shipped for allowance in each.get("allows", [])],
    }


def passes(cluster: Cluster, runs: Path, drill_or_file: str, struck: int) -> dict[str, Any]:
    """Run a drill to its end and insist that it passes; return its result."""
    done = cluster.rmqops("chaos", "run", drill_or_file, "--runs", str(runs), "--json", *SHORT)
    assert done.code == 0, f"{findings(runs)}\n{done.stderr}"
    result: dict[str, Any] = json.loads(done.stdout)
    assert (result["verdict"], result["lost"], len(result["faults"])) == ("pass", 0, struck)
    assert all(fault["verified"] and fault["healed"] for fault in result["faults"])
    return result


def test_the_service_goes_on_whoever_dies(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "in-one.yml"
    file.write_text(yaml.safe_dump(in_one(SERVED_ALL_ALONG)))
    result = passes(cluster, tmp_path / "runs", str(file), struck=8)
    assert result["checks"]["service"]["numbers"]["served_without_majority"] != 0


def test_members_die_in_turn_and_a_majority_at_once(cluster: Cluster, tmp_path: Path) -> None:
    result = passes(cluster, tmp_path, "kill-in-turn", struck=5)
    assert result["checks"]["service"]["numbers"]["served_without_majority"] == 0


def test_new_clients_start_with_two_of_three_nameservers_dead(
    cluster: Cluster, rocketmq_home: Path, tmp_path: Path
) -> None:
    servers = cluster.topology.nameservers
    cluster.must("topic", "create", "started-anew")
    for server in servers[:2]:
        os.kill(cluster.pid(server.name) or 0, signal.SIGKILL)
    try:
        for number, known in enumerate((servers, servers[2:])):
            home = tmp_path / str(number)
            home.mkdir()
            with official(rocketmq_home, [one.address for one in known], home, "started-anew") as ask:
                told = ask()
            assert told["number"] > 0
            assert told["failed"] == []
        addresses = [one.address for one in servers]
        assert asyncio.run(sent(addresses, "started-anew"))
        assert asyncio.run(sent(addresses[2:], "started-anew"))
        assert not asyncio.run(sent(addresses[:2], "started-anew")), "the dead know nothing"
    finally:
        cluster.must("start", "namesrv-2", "namesrv-1")
    health.wait(cluster.topology)
    for server in servers:
        assert asyncio.run(sent([server.address], "started-anew"))


async def sent(nameservers: Sequence[str], topic: str) -> bool:
    """Tell whether a new client that knows these NameServers can send."""
    async with Client() as client, Producer(client, nameservers) as producer:
        return isinstance(await producer.send(topic, Message(b"x")), Acknowledged)


def test_claims_that_a_cluster_cannot_show_are_told_and_left_out(cluster: Cluster, tmp_path: Path) -> None:
    rows = ("--row", "S3a", "--row", "S6", "--runs", str(tmp_path / "runs"))
    done = cluster.rmqops("chaos", "suite", "notes", *rows, "--json")
    assert done.code == 4, done
    told = [(row["row"], row["drill"], row["verdict"], row["measured"]) for row in json.loads(done.stdout)["rows"]]
    assert {one[:3] for one in told} == {("S3a", "kill-classic-master", None), ("S6", "even-shares", None)}
    assert all("needs two groups" in one[3] for one in told)
    assert not (tmp_path / "runs").exists()


def test_the_official_client_outlives_a_master_and_its_own_like(cluster: Cluster, tmp_path: Path) -> None:
    mine, runs = tmp_path / "mine.yml", tmp_path / "runs"
    mine.write_text(OFFICIAL)
    done = cluster.rmqops("chaos", "run", str(mine), "--runs", str(runs), "--json")
    assert done.code == 0, f"{findings(runs)}\n{done.stderr}"
    result = json.loads(done.stdout)
    assert (result["verdict"], result["lost"], len(result["faults"])) == ("pass", 0, 3)
    assert result["acknowledged"] > 200
    assert result["rto_ms"] > 0
    assert_that_each_key_has_a_queue(result)
    taken = result["checks"]["takeover"]
    assert (taken["verdict"], taken["numbers"]["queues"]) == ("pass", 2), "the dead one had half of them"
    delivered, committed = result["checks"]["delivered"], result["checks"]["committed"]
    assert (delivered["numbers"]["readers"], delivered["numbers"]["unread"]) == (2, 0), delivered
    assert committed["verdict"] == "pass", committed
    assert committed["numbers"]["registers"] == 2 * 4, "of each of the two groups, in each queue"
    assert committed["numbers"]["changes_of_master"] >= 1, committed
    told = result["client"]
    assert (told["driver"], told["version"], told["pollNameServerInterval"]) == ("java", "4.5.2", "1000")
    events = [json.loads(line) for line in (the_run(runs) / "history.jsonl").read_text().splitlines()]
    dead = next(fault for fault in result["faults"] if fault["instance"] == "consumer-3")
    read: dict[str, set[int]] = {}
    for event in events:
        if event["op"] == "receive" and event["type"] == "ok" and event["process"].startswith("consumer-"):
            between = dead["verified_at"] < event["t"] < dead["heal_started_at"]
            member = event["process"].partition(".")[0]
            read.setdefault(f"{member} between" if between else member, set()).add(event["queue"])
    assert read["consumer-3"], "it had queues of its own"
    assert "consumer-3 between" not in read
    assert read["consumer-1 between"] == {0, 1, 2, 3}, "the one that lives takes over from the dead one"
    assert read["consumer-3-2"], "and shares with the new one"
    assert read["consumer-2 between"] == {0, 1, 2, 3}, "the other group has all to itself"
    assert "rmqops-drill" not in cluster.must("topic", "list", "--json").stdout
    assert "rmqops-drill" not in cluster.must("group", "list", "--json").stdout
    mine_still = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _is_load(path, cluster)]
    assert mine_still == []


def assert_that_each_key_has_a_queue(result: dict[str, Any]) -> None:
    numbers = result["checks"]["keys"]["numbers"]
    assert (numbers["keys_in_several_queues"], numbers["acknowledged"]) == (0, result["acknowledged"])
    assert numbers["queues"] > 1


def _is_load(path: Path, cluster: Cluster) -> bool:
    try:
        line = path.read_bytes()
    except OSError:
        return False
    return b"rmqops.load.Main" in line and cluster.topology.nameservers[0].address.encode() in line


def test_a_drill_of_ones_own_can_be_rehearsed_aborted_and_run_again(cluster: Cluster, tmp_path: Path) -> None:
    """It strikes two at once, and is ended from another shell while they are dead."""
    mine, runs = tmp_path / "mine.yml", tmp_path / "runs"
    mine.write_text(OWN)
    rehearsed = cluster.must("chaos", "run", str(mine), "--dry-run", "--json")
    acts = json.loads(rehearsed.stdout)
    assert {act["instance"] for act in acts} == {one.name for one in cluster.topology.instances}
    assert [act["step"] for act in acts[:7]] == ["probe", "arm", "inject", "verify", "heal", "healed", "disarm"]
    assert heal.armed(cluster.topology) == ()
    with drill(cluster, runs, name=str(mine)) as under_way:
        under_way.wait_for(STRUCK)
        cluster.must("chaos", "abort")
        code, told = under_way.end()
    assert code == 130, told
    first = the_run(runs)
    assert json.loads((first / "result.json").read_text())["verdict"] == "inconclusive"
    health.wait(cluster.topology)
    again = cluster.rmqops("chaos", "replay", str(first), "--runs", str(tmp_path / "again"), "--json")
    assert again.code == 0, f"{findings(tmp_path / 'again')}\n{again.stderr}"
    result = json.loads(again.stdout)
    assert (result["seed"], result["lost"], len(result["faults"])) == (7, 0, 2)
    assert_that_each_key_has_a_queue(result)
    served = result["checks"]["served"]
    assert served["numbers"]["from_slaves"] > 100, served
    again_history = (the_run(tmp_path / "again") / "history.jsonl").read_text().splitlines()
    sent = {event["topic"] for event in map(json.loads, again_history) if event["op"] == "send"}
    assert len(sent) == 2
    assert "rmqops-drill" not in cluster.must("topic", "list", "--json").stdout
    assert (the_run(tmp_path / "again") / "drill.yml").read_text() == (first / "drill.yml").read_text()
    assert cluster.rmqops("chaos", "abort").code == 1


def test_a_master_that_stood_still_loses_nothing_and_may_take_the_route_with_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    """What it does to the route when it goes on is RocketMQ's own fault: docs/known-issues.md."""
    done = cluster.rmqops("chaos", "run", "pause-master", "--runs", str(tmp_path), "--json", *SHORT)
    assert done.stdout, done
    result = json.loads(done.stdout)
    assert (result["lost"], result["checks"]["service"]["verdict"]) == (0, "pass"), done.stderr
    routes_may_fail(tmp_path, done)


def test_a_bench_counts_what_is_acknowledged_and_leaves_nothing(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.must("bench", "--seconds", "3", "--size", "256", "--json")
    found = json.loads(done.stdout)
    (share,) = found["shares"]
    assert share["acknowledged"] > 100
    assert found["per_second"] == share["per_second"] == share["acknowledged"] / 3
    assert 0 < share["p50_ms"] <= share["p99_ms"]
    assert "rmqops-drill" not in cluster.must("topic", "list", "--json").stdout
    figures = tmp_path / "bench.json"
    figures.write_text(done.stdout)
    sized = must(
        "size", "--qps", str(int(found["per_second"])), "--size", "256", "--figures", str(figures), "--json"
    )
    assert json.loads(sized.stdout)["groups"] == 2, "with half of it kept free"
    assert cluster.rmqops("bench", "--confirm", "another").code == 5


def test_hosts_that_share_an_address_cannot_be_cut_off_from_one_another(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.rmqops("chaos", "run", "partition-master", "--runs", str(tmp_path), *SHORT)
    assert done.code == 4, done
    assert "the fault partition is not possible" in done.stderr
    assert list(tmp_path.iterdir()) == []

"""A broker that comes back must not take the master out of the route (apache/rocketmq#1464), on each release.

Every NameServer is asked every 20 ms while a follower, and then an old leader, is killed and started again.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from rmqops.errors import RemotingError
from rmqops.model.releases import RELEASES
from rmqops.model.topology import Topology
from rmqops.operations.observe import health
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from tests.support.clusters import Cluster, dledger_inventory
from tests.support.drilling import SHORT, findings
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("quiet")]

INTERVAL = 0.02
DEFAULT_HEARTBEAT = 30_000
"""Milliseconds, as RocketMQ has it: for so long a master that was overwritten may be away."""
SETTLE = 5.0
"""Seconds of looking on after the cluster is healthy again: the route was overwritten within the first second."""
TRIES = 3


@dataclass
class Watch:
    """The master that each NameServer named, over time."""

    topology: Topology
    seen: list[tuple[float, str, str | None]] = field(default_factory=list)
    unanswered: list[tuple[float, str, str]] = field(default_factory=list)
    """What came instead of an answer; that says nothing of a route."""
    stop: threading.Event = field(default_factory=threading.Event)

    async def follow(self, nameserver: str) -> None:
        async with Client() as client:
            while not self.stop.is_set():
                try:
                    group = (await Admin(client).cluster_info(nameserver)).groups.get("broker-a")
                except RemotingError as error:
                    self.unanswered.append((time.monotonic(), nameserver, str(error)))
                else:
                    self.seen.append((time.monotonic(), nameserver, group.master if group else None))
                await asyncio.sleep(INTERVAL)

    def run(self) -> None:
        async def all_of_them() -> None:
            await asyncio.gather(*(self.follow(server.address) for server in self.topology.nameservers))

        asyncio.run(all_of_them())

    def kept(self, start: float, master: str) -> None:
        """Insist that every NameServer has named the same master since a moment, and no other, and never none."""
        found: dict[str, set[str | None]] = {server.address: set() for server in self.topology.nameservers}
        strayed = []
        for moment, nameserver, named in self.seen:
            if moment >= start:
                found[nameserver].add(named)
                if named != master:
                    strayed.append(f"{moment - start:.3f} s: {nameserver} named {named}")
        told = [f"{moment - start:.3f} s: {nameserver}: {said}" for moment, nameserver, said in self.unanswered]
        assert found == {each: {master} for each in found}, "\n".join([*strayed, *told])


@contextmanager
def watching(topology: Topology) -> Iterator[Watch]:
    watch = Watch(topology)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop.set()
        thread.join()


def master_of(topology: Topology) -> str:
    (address,) = health.masters(topology)
    found = topology.at(address)
    assert found is not None
    return found.name


def bring_back(cluster: Cluster, name: str, watch: Watch) -> None:
    """Start a member again and look on: the master stays in the route."""
    before = master_of_alive(cluster)
    start = time.monotonic()
    assert cluster.script(name, "start.sh").code == 0
    health.wait(cluster.topology)
    end = time.monotonic() + SETTLE
    while time.monotonic() < end:
        time.sleep(INTERVAL)
    watch.kept(start, before)


def master_of_alive(cluster: Cluster) -> str:
    """Return the master's address once every NameServer names one that runs."""

    def living_master() -> str | None:
        masters = health.masters(cluster.topology)
        holder = cluster.topology.at(next(iter(masters))) if len(masters) == 1 else None
        return holder.address if holder is not None and cluster.pid(holder.name) is not None else None

    return until(living_master, "a living master in the route") or ""


ELECTING = [each.version for each in RELEASES.values() if "dledger" in each.modes]


@pytest.mark.parametrize("version", [ELECTING[0], ELECTING[-1]])
def test_the_route_keeps_its_master(make_cluster: Callable[..., Cluster], version: str) -> None:
    """The release between them: tests/soak/rejoin_window.py."""
    keeps_its_master(make_cluster, version)


def keeps_its_master(make_cluster: Callable[..., Cluster], version: str) -> None:
    cluster = make_cluster(version, partial(dledger_inventory, heartbeat=DEFAULT_HEARTBEAT))
    cluster.must("deploy", "--yes", timeout=600)
    topology = cluster.topology
    assert json.loads(cluster.must("status", "--json").stdout)["drift"] == []
    with watching(topology) as watch:
        leader = master_of(topology)
        follower = next(broker.name for broker in topology.brokers if broker.name != leader)
        for name in (follower, leader):
            cluster.kill(name)
            bring_back(cluster, name, watch)
    cluster.must("stop")


def test_without_the_two_lines_a_drill_finds_it(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    """The control: the engine sees apache/rocketmq#1464 as soon as the configuration does not prevent it.

    The master comes back with its next heartbeat, at any moment of 30 s, so one time in fifteen it is away for
    less than the two seconds that are borne.
    """
    cluster = make_cluster(describe=partial(dledger_inventory, heartbeat=DEFAULT_HEARTBEAT))
    cluster.must("deploy", "--yes")
    for broker in cluster.topology.brokers:
        config = cluster.base / "instances" / broker.name / "current" / "conf" / "broker.p"
        lines = config.read_text().splitlines()
        kept = [line for line in lines if not line.startswith(("brokerRole", "brokerId"))]
        config.write_text("\n".join(kept) + "\n")
    for number in range(TRIES):
        runs = tmp_path / str(number)
        done = cluster.rmqops("chaos", "run", "kill-slave", "--runs", str(runs), "--json", *SHORT)
        if done.code:
            break
    result = json.loads(done.stdout)
    assert (done.code, result["verdict"], result["lost"]) == (1, "fail", 0), f"{findings(runs)}\n{done.stderr}"
    assert set(findings(runs)) == {"routes"}
    assert result["checks"]["routes"]["numbers"]["second_windows"] > 0

"""The load of a drill on hosts of the group clients: it runs there, is killed there, and nothing of it is left."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.clusters import Cluster
from tests.support.drilling import drill, findings, the_run
from tests.support.lab import LabUp
from tests.support.waiting import until, until_equal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CLIENTS = ("client-1", "client-2")
LOAD = ("--where", "clients", "--consumers", "2")
TOPIC = "every NameServer knows it"
MARK = "-Drmqops.load="
WITHIN = 15
"""Seconds for the load to be gone, and to be seen gone over ssh; less than those after which it ends by itself."""


@dataclass(frozen=True)
class Hosts:
    """A cluster on three hosts, and two hosts without instances."""

    lab: LabUp
    cluster: Cluster

    def workers(self) -> dict[str, list[str]]:
        """Return the names of the load's processes on each client's host; the shells around them do not count."""
        found = {}
        for client in CLIENTS:
            lines = self.lab.root(client, f"ps -eo comm,args | grep -e '{MARK}'").splitlines()
            theirs = [line for line in lines if line.startswith(("java", "python3"))]
            found[client] = sorted(re.findall(r'"name": "([a-z0-9-]+)"', "\n".join(theirs)))
        return found

    def left(self) -> str:
        """Return what a run has left on the clients' hosts: processes, and its directory."""
        script = "ps -eo pid,args | grep -e '[-]Drmqops.load=' || true; ls /opt/rocketmq/load/runs"
        return "".join(self.lab.root(client, script) for client in CLIENTS)

    def peers(self) -> set[str]:
        """Return the addresses that are connected to the brokers' ports."""
        script = "ss -Htn state established sport = :10911"
        lines = "".join(self.lab.root(host, script) for host in ("1", "2", "3")).splitlines()
        return {line.split()[-1].rpartition(":")[0].removeprefix("[::ffff:").removesuffix("]") for line in lines}


@pytest.fixture(scope="module")
def hosts(deployed_lab: Callable[..., tuple[LabUp, Cluster]]) -> Hosts:
    return Hosts(*deployed_lab(hosts=3, clients=2))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("driver", ["java", "native"])
def test_the_load_runs_and_dies_on_the_clients_hosts(driver: str, hosts: Hosts, tmp_path: Path) -> None:
    load = (*LOAD, "--driver", driver, "--duration", "24")
    with drill(hosts.cluster, tmp_path, *load, name="kill-clients") as under_way:
        under_way.wait_for(TOPIC)
        # Consumers first, then producers, by turns; all of them live until the load has been steady for 8 s.
        wanted = {
            (client, f"{role}-{n}") for n, client in enumerate(CLIENTS, 1) for role in ("consumer", "producer")
        }
        seen: set[tuple[str, str]] = set()

        def unseen() -> set[tuple[str, str]]:
            seen.update((client, name) for client, names in hosts.workers().items() for name in names)
            return wanted - seen

        until_equal(unseen, set(), "every worker has been seen", interval=0.2)
        addresses = {hosts.lab.lab.access.addresses[hosts.lab.lab.find(client)] for client in CLIENTS}
        until_equal(lambda: addresses - hosts.peers(), set(), "every client's host is connected", interval=0.2)
        code, told = under_way.end()
    assert code == 0, f"{findings(tmp_path)}\n{told}"
    assert hosts.left() == ""
    result = json.loads((the_run(tmp_path) / "result.json").read_text())
    assert result["verdict"] == "pass"
    assert result["client"]["driver"] == driver
    assert result["client"]["on"] == "client-1, client-2"
    assert len(result["faults"]) == 2
    for fault in result["faults"]:
        assert fault["verified"]
        assert fault["healed"]
        assert fault["address"].endswith(tuple(f" on {client}" for client in CLIENTS))
    for client in CLIENTS:
        # Hosts of a lab share one kernel and one clock, so the truth is known: 0.
        clock = re.match(r"(\S+) ms ± (\S+) ms", result["client"][f"clock of {client}"])
        assert clock is not None
        offset, bound = clock.groups()
        assert abs(float(offset)) <= float(bound) + 0.001


@pytest.mark.parametrize("driver", ["java", "native"])
def test_nothing_is_left_when_rmqops_is_killed(driver: str, hosts: Hosts, tmp_path: Path) -> None:
    with drill(hosts.cluster, tmp_path, *LOAD, "--driver", driver, name="kill-clients") as under_way:
        under_way.wait_for(TOPIC)
        until(lambda: all(hosts.workers().values()), "each client's host has workers", interval=0.2)
        under_way.process.kill()
    none: dict[str, list[str]] = {client: [] for client in CLIENTS}
    until_equal(hosts.workers, none, "the workers are gone", WITHIN, interval=0.2)
    hosts.cluster.must("chaos", "heal", str(the_run(tmp_path)))

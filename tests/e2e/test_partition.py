"""Masters that are cut off or rebooted, on real hosts, and that nothing is left, whatever becomes of rmqops."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan
from rmqops.errors import RmqopsError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations.observe import health
from rmqops.transport.base import transport_for
from tests.support.clusters import Cluster
from tests.support.drilling import SHORT, STRUCK, drill, routes_may_fail, settled, the_run, victim
from tests.support.lab import LabUp
from tests.support.waiting import until, until_equal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

DEADLINE = 20
FOREIGN = (
    "iptables -A INPUT -s 192.0.2.7 -p tcp --dport 80 -j DROP; iptables -N THEIRS; iptables -A OUTPUT -j THEIRS"
)
LEFT = """
find /etc/systemd "$1" -path "$1/data" -prune -o \\( -name 'rmqops-*' -o -name heals \\) -print
systemctl list-units --all --plain --no-legend '*rmqops-*'
"""


@dataclass(frozen=True)
class Hosts:
    """Three NameServers and a DLedger group, each on a host of its own that has rules of its own."""

    lab: LabUp
    cluster: Cluster

    def rules(self, instance: str) -> list[str]:
        """Return the host's rules; what ``iptables-save`` writes after ``#`` is the time."""
        saved = self.lab.root(instance, "iptables-save").splitlines()
        return [line for line in saved if not line.startswith(("#", ":"))]

    def all_rules(self) -> dict[str, list[str]]:
        return {instance.name: self.rules(instance.name) for instance in self.cluster.topology.brokers}


@pytest.fixture(scope="module")
def hosts(deployed_lab: Callable[..., tuple[LabUp, Cluster]]) -> Hosts:
    made = Hosts(*deployed_lab(hosts=6))
    for broker in made.cluster.topology.brokers:
        made.lab.root(broker.name, FOREIGN)
    return made


@pytest.mark.usefixtures("quiet")
def test_a_master_that_is_cut_off_loses_nothing_and_no_rule_stays(hosts: Hosts, tmp_path: Path) -> None:
    settled(hosts.cluster)
    before = hosts.all_rules()
    assert all(any("192.0.2.7" in rule for rule in rules) for rules in before.values())
    done = hosts.cluster.rmqops("chaos", "run", "partition-master", "--runs", str(tmp_path), "--json", *SHORT)
    assert hosts.all_rules() == before
    assert done.stdout, done
    result = json.loads(done.stdout)
    assert (result["lost"], result["checks"]["service"]["verdict"]) == (0, "pass"), done.stderr
    assert all(fault["verified"] and fault["healed"] for fault in result["faults"])
    routes_may_fail(tmp_path, done)


def test_a_killed_drill_is_healed_by_the_host_itself(hosts: Hosts, tmp_path: Path) -> None:
    settled(hosts.cluster)
    before = hosts.all_rules()
    options = ("--deadline", str(DEADLINE))
    with drill(hosts.cluster, tmp_path / "runs", *options, name="partition-master") as under_way:
        under_way.wait_for(STRUCK)
        under_way.process.kill()
    struck = victim(the_run(tmp_path / "runs"))
    assert any("RMQOPS" in rule for rule in hosts.rules(struck))
    until_equal(lambda: hosts.rules(struck), before[struck], f"{struck} heals itself", DEADLINE + 5, interval=0.5)
    health.wait(hosts.cluster.topology)
    hosts.cluster.must("chaos", "heal", str(the_run(tmp_path / "runs")))


@pytest.fixture
def rebooted(hosts: Hosts) -> Iterator[None]:
    """Begin with a healthy cluster; a reboot takes the hosts' own rules away, so they are made again."""
    health.wait(hosts.cluster.topology)
    yield
    for broker in hosts.cluster.topology.brokers:
        if not any("192.0.2.7" in rule for rule in hosts.rules(broker.name)):
            hosts.lab.root(broker.name, FOREIGN)


def must(instance: Instance, command: Command) -> str:
    done = transport_for(instance).run(command)
    assert done.ok, done
    return done.stdout


def left(instance: Instance) -> str:
    """Return what a reboot leaves on a host until it is healed."""
    return must(instance, Command.shell(LEFT, instance.home))


@pytest.mark.usefixtures("rebooted", "quiet")
def test_a_rebooted_master_comes_back_and_nothing_is_lost(hosts: Hosts, tmp_path: Path) -> None:
    done = hosts.cluster.rmqops("chaos", "run", "reboot-master", "--runs", str(tmp_path), "--json", *SHORT)
    assert done.stdout, done
    result = json.loads(done.stdout)
    assert (result["lost"], result["checks"]["service"]["verdict"]) == (0, "pass"), done.stderr
    assert all(fault["verified"] and fault["healed"] for fault in result["faults"])
    assert left(hosts.cluster.topology.instance(victim(the_run(tmp_path)))) == ""
    routes_may_fail(tmp_path, done)


@pytest.mark.usefixtures("rebooted")
@pytest.mark.parametrize("alone", [5, 300], ids=["by-itself", "by-chaos-heal"])
def test_a_rebooted_host_that_rmqops_has_left_is_healed(hosts: Hosts, alone: int) -> None:
    topology, kind = hosts.cluster.topology, faults.find("reboot")
    struck = topology.brokers[1]
    aim = Aim(struck, topology, faults.options("reboot", {"alone": alone}), f"e2e-reboot-{alone}")
    plan = kind.plan(aim, must(struck, kind.requires(aim)))
    assert left(struck) == ""
    must(struck, deadman.arm(struck, aim.fault, plan.cure, DEADLINE * 10))
    must(struck, plan.inject)
    with suppress(RmqopsError):  # it may be going down already
        assert left(struck) != ""
    end = time.monotonic() + DEADLINE * 12
    until(lambda: came_back(struck, plan), "the host is back", DEADLINE * 12, interval=0.5)
    if alone > DEADLINE:
        assert aim.fault in left(struck)
        hosts.cluster.must("chaos", "heal")
    until_equal(lambda: left(struck), "", "nothing is left", end - time.monotonic(), interval=0.5)
    must(struck, plan.healed)


def came_back(instance: Instance, plan: FaultPlan) -> bool:
    """Tell whether a host has been rebooted; one that is away has not."""
    try:
        return transport_for(instance).run(plan.verify).ok
    except RmqopsError:
        return False

"""The faults that burden a host, on real hosts: what they do is seen there, and nothing of it is left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.load.settings import Load
from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan
from rmqops.chaos.run import placement
from rmqops.errors import OperationFailed
from rmqops.model.commands import Command, Result
from rmqops.transport.base import transport_for
from tests.support.clusters import Cluster
from tests.support.drilling import SHORT, routes_may_fail, settled
from tests.support.lab import Labs, LabUp
from tests.support.waiting import until_equal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

VICTIM = "broker-a-0"
BROKERS = ("broker-a-0", "broker-a-1", "broker-a-2")
DEADLINE = 12
STATE = """
systemctl list-units --all --no-legend --plain 'rmqops-*' 'rocketmq-*'
find /opt/rocketmq/instances -name '*rmqops-fault*' -o -name heals
tc qdisc show
tc class show dev eth0
tc filter show dev eth0
iptables-save | grep -Ev '^[#:*]|^COMMIT'
mount | grep /opt/rocketmq
ls -d /sys/fs/cgroup/system.slice/*.service
"$1/current/bin/pid.sh"
for line in /proc/[0-9]*/cmdline; do tr '\\0' '\\n' < "$line" | grep '^-Drmqops.[fh]'; done 2> /dev/null
true
"""


@dataclass(frozen=True)
class Hosts:
    """Three NameServers and a DLedger group on hosts of their own; a broker has 640 MiB for its store."""

    lab: LabUp
    cluster: Cluster

    def aim(self, kind: str, instance: str, given: Mapping[str, float | str]) -> Aim:
        topology = self.cluster.topology
        clients = placement.addresses(topology, Load(), transport_for)
        options = faults.options(kind, given)
        return Aim(topology.instance(instance), topology, options, f"e2e-{kind}-1", clients)

    def run(self, instance: str, command: Command) -> Result:
        return transport_for(self.cluster.topology.instance(instance)).run(command)

    def must(self, instance: str, command: Command) -> str:
        done = self.run(instance, command)
        assert done.ok, done
        return done.stdout

    def probe(self, kind: str, instance: str, **given: float | str) -> Result:
        return self.run(instance, faults.find(kind).requires(self.aim(kind, instance, given)))

    def plan(self, kind: str, instance: str, **given: float | str) -> FaultPlan:
        """Return the plan, made as a drill makes it: from what the probe found."""
        aim = self.aim(kind, instance, given)
        fault = faults.find(kind)
        return fault.plan(aim, self.must(instance, fault.requires(aim)))

    def state(self, instance: str) -> str:
        """Return all of a host that a fault could touch."""
        return self.lab.root(instance, STATE, self.cluster.topology.instance(instance).home)


FORGET = 'find "$1" -type f -name "broker*.log*" -delete'
SMALL_DISK = """
owner=$(stat -c %u:%g "$1") mode=$(stat -c %a "$1")
mount -t tmpfs -o size=640m small "$1" && chown "$owner" "$1" && chmod "$mode" "$1"
"""


@pytest.fixture(scope="module")
def hosts(deployed_lab: Callable[..., tuple[LabUp, Cluster]], labs: Labs) -> Iterator[Hosts]:
    """The shared hosts, less the old stores and the terms in their logs: nobody can use them after that."""
    made = Hosts(*deployed_lab(hosts=6))
    try:
        made.cluster.must("stop", *BROKERS)
        for broker in BROKERS:
            made.lab.root(broker, SMALL_DISK, data(broker))
            made.lab.root(broker, FORGET, f"/opt/rocketmq/instances/{broker}/logs")
        made.cluster.must("start", *BROKERS)
        yield made
    finally:
        labs.remove(made.lab)


def data(broker: str) -> str:
    return f"/opt/rocketmq/instances/{broker}/data"


# All hosts of a lab share the machine's processors: one loop leaves the others some, see docs/lab.md. The login of
# the test itself comes from one of the clients' addresses, which `reset` must spare.
BURDENS = [
    ("cpu", {"processes": 1}),
    ("memory", {"mib": 256}),
    ("disk-full", {"leave": 16}),
    ("bandwidth", {"kbit": 8}),
    ("loss", {"percent": 50}),
    ("reset", {"peers": "group,namesrv,clients"}),
]


@pytest.fixture
def healed(hosts: Hosts) -> Iterator[Callable[[str, FaultPlan], None]]:
    """Note plans whose heals are run when the test is over, however it ends."""
    made: list[tuple[str, FaultPlan]] = []
    yield lambda instance, plan: made.append((instance, plan))
    for instance, plan in made:
        hosts.run(instance, plan.heal)


@pytest.mark.parametrize(("kind", "given"), BURDENS, ids=[kind for kind, _ in BURDENS])
def test_a_fault_bites_and_leaves_nothing(
    kind: str, given: dict[str, float], hosts: Hosts, healed: Callable[[str, FaultPlan], None]
) -> None:
    before = hosts.state(VICTIM)
    plan = hosts.plan(kind, VICTIM, **given)
    assert hosts.state(VICTIM) == before, "a probe changes nothing"
    healed(VICTIM, plan)
    hosts.must(VICTIM, plan.inject)
    hosts.must(VICTIM, plan.verify)
    assert hosts.state(VICTIM) != before
    assert not hosts.run(VICTIM, plan.healed).ok
    hosts.must(VICTIM, plan.heal)
    hosts.must(VICTIM, plan.healed)
    hosts.must(VICTIM, plan.cure)
    assert hosts.state(VICTIM) == before


@pytest.mark.parametrize(("kind", "given"), BURDENS, ids=[kind for kind, _ in BURDENS])
def test_a_host_heals_itself(
    kind: str, given: dict[str, float], hosts: Hosts, healed: Callable[[str, FaultPlan], None]
) -> None:
    before = hosts.state(VICTIM)
    plan = hosts.plan(kind, VICTIM, **given)
    instance = hosts.cluster.topology.instance(VICTIM)
    healed(VICTIM, plan)
    hosts.must(VICTIM, deadman.arm(instance, "e2e", plan.cure, DEADLINE))
    armed, end = hosts.state(VICTIM), time.monotonic() + DEADLINE + 5
    hosts.must(VICTIM, plan.inject)
    assert hosts.state(VICTIM) != armed
    until_equal(lambda: hosts.state(VICTIM), before, "the host heals itself", end - time.monotonic(), interval=0.5)


def test_a_burden_that_a_host_cannot_bear_is_refused(hosts: Hosts) -> None:
    for kind, given, told in (
        ("memory", {"mib": 65_536}, "MiB less would leave below 256 MiB"),
        ("disk-full", {"at_most": 100}, "at_most allows 100"),
    ):
        done = hosts.probe(kind, VICTIM, **given)
        assert not done.ok
        assert told in done.stderr


def test_an_injection_that_dies_half_way_is_healed(hosts: Hosts, healed: Callable[[str, FaultPlan], None]) -> None:
    before = hosts.state(VICTIM)
    plan = hosts.plan("disk-full", VICTIM)
    healed(VICTIM, plan)
    script = plan.inject.script
    assert script is not None
    slow = replace(
        script,
        arguments=tuple(each.replace("fallocate -l", "sleep 60; fallocate -l") for each in script.arguments),
    )
    assert slow != script
    with pytest.raises(OperationFailed):
        hosts.run(VICTIM, slow.command(timeout=1.0))
    hosts.must(VICTIM, plan.cure)
    assert hosts.state(VICTIM) == before


@pytest.mark.usefixtures("quiet")
def test_a_drill_of_a_full_disk_loses_nothing(hosts: Hosts, tmp_path: Path) -> None:
    settled(hosts.cluster)
    before = {broker: hosts.state(broker) for broker in BROKERS}
    done = hosts.cluster.rmqops("chaos", "run", "full-disk-master", "--runs", str(tmp_path), "--json", *SHORT)
    assert {broker: hosts.state(broker) for broker in BROKERS} == before, done
    assert done.stdout, done
    result = json.loads(done.stdout)
    assert result["lost"] == 0, done.stderr
    assert all(fault["verified"] and fault["healed"] for fault in result["faults"])
    routes_may_fail(tmp_path, done)

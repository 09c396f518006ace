"""Where the fault of a rebooted host is refused; that it bites is seen on real hosts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.model.topology import Instance, Topology
from tests.support.here import run
from tests.support.instances import topology


def remote(made: Instance, host: str, supervisor: str = "systemd") -> Instance:
    variables = {**made.variables, "rocketmq_supervisor": supervisor}
    return replace(made, host=host, connection="ssh", variables=variables)


def spread(supervisor: str = "systemd") -> Topology:
    """Describe a cluster whose brokers have hosts of their own; its NameServers are on the first of them."""
    whole = topology()
    (group,) = whole.groups
    members = tuple(remote(one, f"192.0.2.{n}", supervisor) for n, one in enumerate(group.members, 1))
    servers = tuple(remote(one, "192.0.2.1") for one in whole.nameservers)
    return replace(whole, nameservers=servers, groups=(replace(group, members=members),))


@pytest.mark.parametrize(
    ("whole", "victim", "told"),
    [
        (topology(), 0, "the machine that rmqops runs on"),
        (spread("detached"), 1, "broker-a-1 is no unit of systemd's (detached)"),
        (spread(), 0, "namesrv-1, namesrv-2, namesrv-3 would be struck as well"),
    ],
    ids=["here", "detached", "shared"],
)
def test_it_is_refused_by_the_inventory_alone(whole: Topology, victim: int, told: str) -> None:
    aim = Aim(whole.brokers[victim], whole, faults.options("reboot", {}))
    done = run(faults.find("reboot").requires(aim))
    assert not done.ok
    assert told in done.stderr


def test_it_is_refused_where_the_instance_would_not_come_back() -> None:
    whole = spread()
    done = run(faults.find("reboot").requires(Aim(whole.brokers[1], whole, faults.options("reboot", {}))))
    assert not done.ok
    assert "systemd does not run here" in done.stderr or "does not run" in done.stderr or "root" in done.stderr

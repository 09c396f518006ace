"""Who is master now, and what the logs of the ailing say; waiting itself is in ``test_status``."""

from __future__ import annotations

from collections.abc import Callable

from rmqops.errors import HostUnreachable
from rmqops.model.topology import Reachable
from rmqops.operations.observe import health
from rmqops.transport.fake import FakeTransport
from tests.support.scripted_fleet import ScriptedFleet


def test_a_group_without_a_master_has_none(
    new_fleet: Callable[..., ScriptedFleet],
) -> None:
    scripted = new_fleet()
    scripted.deploy()
    scripted.kill("broker-b-0")
    address = scripted.topology.instance("broker-a-0").address
    assert health.masters_by_group(scripted.topology) == {"broker-a": address, "broker-b": None}
    assert health.masters(scripted.topology) == {address}


def test_logs_are_told_as_far_as_hosts_can_be_reached(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet()
    said = {"broker-a-0": "console.log:\n  no room\n", "broker-b-0": ""}

    def reach(item: Reachable) -> FakeTransport:
        name = next(each.name for each in scripted.topology.instances if each is item)
        if name == "broker-a-1":
            raise HostUnreachable("broker-a-1 does not answer")
        return FakeTransport(lambda _: (0, said[name]))

    assert health.reasons(scripted.topology, ["broker-a-0", "broker-a-1", "broker-b-0"], reach) == [
        "broker-a-0:\nconsole.log:\n  no room",
        "broker-a-1:\nbroker-a-1 does not answer",
    ]

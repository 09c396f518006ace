"""A message to each group's master, read back from there, over the real protocol."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rmqops.errors import OperationFailed
from rmqops.operations.observe import canary, status
from tests.support.scripted_fleet import ScriptedFleet


@pytest.fixture
def scripted(new_fleet: Callable[..., ScriptedFleet]) -> ScriptedFleet:
    """A deployed fleet of two groups."""
    made = new_fleet()
    made.deploy()
    return made


def held(scripted: ScriptedFleet) -> dict[str, int]:
    """Return how many canaries each broker holds."""
    return {
        name: len(each.queues.get((canary.TOPIC, 0), ()))
        for name, each in scripted.instances.items()
        if each.instance.kind == "broker"
    }


def test_each_groups_master_takes_one(scripted: ScriptedFleet) -> None:
    seen = status.observe(scripted.topology)
    canary.send_and_read_back(scripted.topology, seen)
    canary.send_and_read_back(scripted.topology, seen, ["broker-b-1"])
    assert held(scripted) == {"broker-a-0": 1, "broker-a-1": 0, "broker-b-0": 2, "broker-b-1": 0}


def test_without_a_master_there_is_nobody_to_send_to(scripted: ScriptedFleet) -> None:
    scripted.kill("broker-b-0")
    with pytest.raises(OperationFailed, match="group broker-b has no master to send to"):
        canary.send_and_read_back(scripted.topology, status.observe(scripted.topology))


def test_a_master_that_refuses_is_named_with_its_answer(
    scripted: ScriptedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "DEADLINE", 0.05)
    scripted.refusing = {"broker-a-0"}
    seen = status.observe(scripted.topology)
    with pytest.raises(OperationFailed, match="the broker's service is not available now") as raised:
        canary.send_and_read_back(scripted.topology, seen, ["broker-a-0"])
    assert scripted.topology.instance("broker-a-0").address in str(raised.value)


def test_what_comes_back_must_be_what_was_sent(scripted: ScriptedFleet) -> None:
    seen = status.observe(scripted.topology)
    scripted.corrupting = True
    with pytest.raises(OperationFailed, match="the canary of group broker-a came back as"):
        canary.send_and_read_back(scripted.topology, seen)


def test_a_master_that_died_since_fails_it(scripted: ScriptedFleet) -> None:
    seen = status.observe(scripted.topology)
    scripted.kill("broker-a-0")
    with pytest.raises(OperationFailed, match="the canary of group broker-a failed"):
        canary.send_and_read_back(scripted.topology, seen)

"""What processes run with, and their status beside it, over the real protocol."""

from __future__ import annotations

from collections.abc import Callable

from rmqops.operations.observe import settings_in_force
from tests.support.scripted_fleet import ScriptedFleet


def test_each_process_that_answers_tells_its_settings(new_fleet: Callable[..., ScriptedFleet]) -> None:
    scripted = new_fleet()
    scripted.deploy()
    scripted.kill("broker-a-1")
    status, settings = settings_in_force.status_and_settings(scripted.topology)
    assert set(settings) == set(scripted.instances) - {"broker-a-1"}
    assert settings["broker-a-0"]["brokerRole"] == "ASYNC_MASTER"
    assert "broker-a-1" in status.ailing

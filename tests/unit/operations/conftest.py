"""Scripted fleets for the tests of what changes one; each on ports of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rmqops.operations.change.promote import replication
from rmqops.operations.observe import health
from tests.support.clusters import classic_inventory
from tests.support.scripted_fleet import ScriptedFleet

NewFleet = Callable[..., ScriptedFleet]


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the record of what is done in the test's own directory, and look often."""
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(replication, "REST", 0.005)
    monkeypatch.setattr(health, "INTERVAL", 0.005)


@pytest.fixture
def new_fleet(tmp_path: Path) -> Iterator[NewFleet]:
    """Make fleets, as many as a test wants; nothing is deployed."""
    with ExitStack() as stack:

        def make(
            describe: Callable[..., dict[str, Any]] = classic_inventory, version: str = "4.4.0"
        ) -> ScriptedFleet:
            return stack.enter_context(ScriptedFleet(tmp_path, describe, version))

        yield make

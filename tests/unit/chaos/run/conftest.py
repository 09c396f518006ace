"""A scripted cluster with a state directory of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.instances import topology
from tests.support.scripted_cluster import ScriptedCluster
from tests.support.scripted_drills import Trial


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep locks of these tests apart from the user's."""
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path / "state"))


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """A DLedger group of three with one NameServer."""
    return Trial(ScriptedCluster(topology(nameservers=1)), tmp_path / "runs")

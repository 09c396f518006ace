"""Where the output of operations is kept, and how much of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.operations import logbook


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(logbook.STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_log_is_named_by_time_verb_and_cluster(state: Path) -> None:
    first, second = logbook.new_log("deploy", "prod"), logbook.new_log("restart", "prod")
    assert first.parent == state / "logs"
    assert first.parent.is_dir()
    assert first.name.endswith("-deploy-prod.log")
    assert sorted([second, first]) == [first, second]


def test_the_oldest_logs_go(state: Path) -> None:
    (state / "logs").mkdir(parents=True)
    for number in range(logbook.KEEP + 5):
        (state / "logs" / f"20260101T0000{number:02}.0-deploy-prod.log").touch()
    logbook.new_log("deploy", "prod")
    left = sorted(path.name for path in (state / "logs").iterdir())
    assert len(left) == logbook.KEEP
    assert left[0] == "20260101T000005.0-deploy-prod.log"


def test_without_the_variable_it_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(logbook.STATE_VARIABLE)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert logbook.state_directory() == tmp_path / "xdg" / "rmqops"

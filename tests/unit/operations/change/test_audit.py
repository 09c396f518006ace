"""The record of what was done."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed
from rmqops.operations.change import audit
from tests.support.instances import topology


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["rmqops", "exec", "--", "login", "password=hunter2"])


def test_it_is_on_disk_before_anything_is_done() -> None:
    with audit.recorded("deploy", topology()) as entry:
        (seen,) = audit.entries()
        assert (seen.outcome, seen.cluster, seen.verb) == ("running", "trial", "deploy")
        entry.plan = ["broker-a-0: restart"]
    (seen,) = audit.entries()
    assert (seen.outcome, seen.plan) == ("done", ["broker-a-0: restart"])
    assert seen.ended


@pytest.mark.parametrize(
    ("error", "outcome", "says"),
    [
        (OperationFailed("broker-a-0 did not start"), "failed", "broker-a-0 did not start"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
        (asyncio.CancelledError(), "interrupted", "CancelledError"),
        (RuntimeError("a secret that nobody foresaw"), "failed", "RuntimeError"),
    ],
)
def test_how_it_ended(error: BaseException, outcome: str, says: str) -> None:
    with pytest.raises(type(error)), audit.recorded("deploy", topology()):
        raise error
    (seen,) = audit.entries()
    assert (seen.outcome, seen.error) == (outcome, says)


def test_a_password_on_the_command_line_is_not_recorded() -> None:
    with audit.recorded("exec", topology()):
        pass
    assert audit.entries()[0].argv[-1] == "password=****"
    assert not any("hunter2" in path.read_text() for path in audit.directory().iterdir())


def test_an_entry_of_another_version_is_passed_over() -> None:
    with audit.recorded("deploy", topology()):
        pass
    (audit.directory() / "20200101T000000-x.json").write_text('{"id": "x"}')
    assert len(audit.entries()) == 1

"""The record of what was done."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed
from rmqops.operations.change import audit
from rmqops.system import files
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


def test_a_password_on_the_command_line_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["exec", "-i", "password=hunter2", "--", "mysql", "--password", "hunter2", "-phunter2", "-e", "[/x]"]
    monkeypatch.setattr(sys, "argv", ["rmqops", *words])
    with audit.recorded("exec", topology()):
        pass
    argv = ["exec", "-i", "password=****", "--", "mysql", "--password", "****", "-p****", "-e", "[/x]"]
    assert audit.entries()[0].argv == ["rmqops", *argv]
    assert not any("hunter2" in path.read_text() for path in audit.directory().iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_may_read_it_whatever_the_umask_is_and_whatever_an_older_version_left(
    tmp_path: Path, umask: int
) -> None:
    for name in ("audit", "logs"):
        (tmp_path / name).mkdir(mode=0o755)
        (tmp_path / name / "20200101T000000-old.json").write_text("{}")
        (tmp_path / name / "20200101T000000-old.json").chmod(0o644)
    before = os.umask(umask)
    try:
        with audit.recorded("deploy", topology()) as entry, files.append_private(Path(entry.log)) as log:
            log.write(b"x")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o700}


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path / "file"))
    with pytest.raises(OperationFailed, match="cannot be used"), audit.recorded("deploy", topology()):
        pass


def test_an_entry_of_another_version_is_passed_over() -> None:
    with audit.recorded("deploy", topology()):
        pass
    (entry,) = audit.entries()
    wrong: list[object] = [{"id": "x"}, [], {**vars(entry), "argv": None}, {**vars(entry), "argv": [1]}]
    wrong += [{**vars(entry), "plan": "x"}, {**vars(entry), "outcome": 5}]
    for number, document in enumerate(wrong):
        (audit.directory() / f"20200101T00000{number}-x.json").write_text(json.dumps(document))
    (audit.directory() / "20200101T000009-x.json").write_text("[" * 100_000)
    assert audit.entries() == [entry]

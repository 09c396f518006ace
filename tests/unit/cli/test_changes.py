"""What is told of a change that somebody ended."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from rmqops.cli.changes import changing
from rmqops.operations.change import audit, lock
from tests.support.instances import topology


def test_a_change_that_was_interrupted_says_so_and_is_on_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path))
    monkeypatch.setattr(lock, "held", lambda *_: nullcontext())
    with pytest.raises(KeyboardInterrupt), changing("deploy", topology()):
        raise KeyboardInterrupt
    assert "interrupted; the same command goes on from here" in capsys.readouterr().err
    assert [entry.outcome for entry in audit.entries()] == ["interrupted"]

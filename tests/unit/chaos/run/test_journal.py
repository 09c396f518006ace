"""The journal: on disk before the act, and readable after a sudden death."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rmqops.chaos.run.journal import FILE, Journal, JournalEntry, read
from rmqops.errors import OperationFailed, UsageError

ENTRY = JournalEntry("inject", "intent", "f-1", "kill", "broker-a-0", ("sh", "-c", "kill -9 'ö'\n"), "note")


def journal(run: Path) -> Journal:
    return Journal(run, lambda: datetime(2026, 1, 2, tzinfo=UTC))


def test_an_entry_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    with journal(tmp_path) as log:
        log.write(ENTRY)
        (found,) = read(tmp_path)
    assert found == JournalEntry(**{**vars(ENTRY), "time": "2026-01-02T00:00:00+00:00"})


@pytest.mark.parametrize("kept", range(1, 40, 7))
def test_a_torn_last_line_is_no_entry_and_the_next_one_is_whole(tmp_path: Path, kept: int) -> None:
    with journal(tmp_path) as log:
        log.write(JournalEntry("run", "intent"))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole + whole[:kept])
    assert [entry.step for entry in read(tmp_path)] == ["run"]
    with journal(tmp_path) as log:
        log.write(ENTRY)
    assert [entry.step for entry in read(tmp_path)] == ["run", "inject"]


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "x",
        '{"step": "inject", "state": "maybe"}',
        '{"step": "run", "a": 1}',
        '{"step": "inject", "state": "done", "fault": ["a"]}',
        '{"step": "topic", "state": "done", "note": "\\ud800"}',
        '{"step": "heal-plan", "state": "intent", "command": "rm -rf /"}',
        '{"step": "heal-plan", "state": "intent", "command": ["rm", 1]}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / FILE).write_text(f'{{"step": "run", "state": "intent"}}\n{line}\n')
    with pytest.raises(OperationFailed, match="line 2"):
        read(tmp_path)


def test_a_run_without_a_journal_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no journal"):
        read(tmp_path)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to("/dev/full")
    with journal(tmp_path) as log, pytest.raises(OperationFailed, match="make room"):
        log.write(ENTRY)

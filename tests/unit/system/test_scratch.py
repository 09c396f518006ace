"""Directories of processes, which go with them or are swept by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rmqops.system import scratch


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_it_goes_whatever_happens(tmp_path: Path) -> None:
    def interrupted() -> None:
        with scratch.directory("trial") as path:
            (path / "file").write_text("x")
            assert path.stat().st_mode & 0o777 == 0o700
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_one_of_a_dead_process_is_swept_and_one_of_a_living_is_not(tmp_path: Path) -> None:
    script = (
        "from rmqops.system.scratch import directory\n"
        "with directory('trial') as path: print(path, flush=True); input()"
    )
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        path = Path(child.stdout.readline().strip())
        scratch.sweep()
        assert path.is_dir()
        child.send_signal(signal.SIGKILL)
    assert path.is_dir()
    with scratch.directory("other") as mine:
        assert [each.name for each in tmp_path.iterdir()] == [mine.name]


def test_one_of_an_earlier_release_is_swept_after_a_day(tmp_path: Path) -> None:
    old, new, other = (tmp_path / f"rmqops-abcdefg{number}" for number in range(3))
    for path in (old, new, other):
        path.mkdir(mode=0o700)
        for name in ("events.jsonl", "variables.json", "become"):
            (path / name).write_text("s3cret")
    (other / "events.jsonl").unlink()
    for path in (old, other):
        os.utime(path, (0, 0))
    scratch.sweep()
    assert sorted(tmp_path.iterdir()) == [new, other]


def test_what_is_not_surely_ours_is_left(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    left = [
        tmp_path / name
        for name in ("rmqops-backup", "rmqops-trial.abc", "rmqops-Trial.abcdefgh", "rmqops-src.tar")
    ]
    for path in left:
        path.mkdir(mode=0o700)
    (tmp_path / "rmqops-trial.linklink").symlink_to(elsewhere)
    (tmp_path / "rmqops-trial.filefile").write_text("")
    (tmp_path / "rmqops-trial.readable").mkdir(mode=0o755)
    if os.geteuid() == 0:
        (tmp_path / "rmqops-trial.somebody").mkdir(mode=0o700)
        os.chown(tmp_path / "rmqops-trial.somebody", 4242, 4242)
    before = sorted(tmp_path.iterdir())
    scratch.sweep()
    assert sorted(tmp_path.iterdir()) == before

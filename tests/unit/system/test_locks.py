"""A lock that says who holds it, and that a dead holder's children keep."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed
from rmqops.system import locks
from rmqops.system.locks import held, held_if_free
from tests.support.silent_holder import silent_holder

HOLDER = """
import os, subprocess, sys
from pathlib import Path
from rmqops.system.locks import held
with held(Path(sys.argv[1]), "building RocketMQ 4.5.2", print) as descriptor:
    child = subprocess.Popen(["cat"], pass_fds=[descriptor], stdout=subprocess.DEVNULL)
    print("held", flush=True)
    os._exit(0)
"""


def test_nobody_waits_for_a_free_lock(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        with held(tmp_path / "lock", "one", told.append):
            pass
    assert told == []


def test_the_second_waits_and_is_told_for_whom(tmp_path: Path) -> None:
    told: list[str] = []
    waiting, order = threading.Event(), []

    def second() -> None:
        def on_wait(holder: str) -> None:
            told.append(holder)
            waiting.set()

        with held(tmp_path / "lock", "second", on_wait):
            order.append("second")

    thread = threading.Thread(target=second)
    with held(tmp_path / "lock", "building RocketMQ 4.5.2", told.append):
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert len(told) == 1
    assert told[0].startswith("process ")
    assert told[0].endswith("(building RocketMQ 4.5.2)")


def test_a_child_keeps_the_lock_of_a_dead_holder(tmp_path: Path) -> None:
    dead = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert dead.stdout is not None
    assert dead.stdin is not None
    assert dead.stdout.readline() == b"held\n"
    dead.wait(10)
    told: list[str] = []

    def on_wait(holder: str) -> None:
        told.append(holder)
        dead.stdin.close()  # type: ignore[union-attr]

    with held(tmp_path / "lock", "next", on_wait):
        pass
    dead.stdout.close()
    assert told == [f"what process {dead.pid} left running when it died (building RocketMQ 4.5.2)"]


def test_a_holder_may_remove_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    waiting, order = threading.Event(), []

    def second() -> None:
        # Who waited for the file that is gone has the new one, which excludes others.
        with held(path, "second", lambda _: waiting.set()), held_if_free(path, "third") as mine:
            order.append(("second", mine))

    thread = threading.Thread(target=second)
    with held(path, "first", lambda _: None):
        thread.start()
        assert waiting.wait(10)
        path.unlink()
        order.append(("first", True))
    thread.join(10)
    assert order == [("first", True), ("second", False)]


def test_one_that_does_not_wait(tmp_path: Path) -> None:
    with held_if_free(tmp_path / "lock", "one") as mine:
        assert mine
    with held(tmp_path / "lock", "two", lambda _: None), held_if_free(tmp_path / "lock", "three") as mine:
        assert not mine


def record(process: subprocess.Popen[bytes], *, later: int = 0) -> str:
    """Return the record of a process; with ``later``, of one that had its pid before."""
    started = locks.started_at(process.pid)
    assert started is not None
    return f"{process.pid} {started - later} a drill\n"


def test_nobody_holds_a_lock_that_nobody_made_or_that_was_let_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert locks.holder(path) is None
    with held(path, "a drill", print):
        own = locks.holder(path)
        assert own == locks.Holder(os.getpid(), locks.started_at(os.getpid()) or 0, "a drill")
    assert locks.holder(path) is None
    assert path.read_text() == "", "a process that lives on, such as a suite, holds it no more"


@pytest.mark.parametrize("stale", ["", "12", "a drill", "4194304 1 a drill\n"])
def test_a_holder_that_has_not_written_its_record_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stale: str
) -> None:
    monkeypatch.setattr(locks, "RECORD_WITHIN", 30.0)
    path = tmp_path / "lock"
    with silent_holder(path, "a suite") as running, ThreadPoolExecutor(1) as pool:
        path.write_text(stale)
        asked = pool.submit(locks.holder, path)
        with pytest.raises(TimeoutError):
            asked.result(0.1)
        assert running.stdin is not None
        print(file=running.stdin, flush=True)
        found = asked.result(30)
        assert found is not None
        assert (found.pid, found.purpose, found.alive) == (running.pid, "a suite", True)


def test_one_that_never_says_who_it_is_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with silent_holder(path, "a drill"), pytest.raises(OperationFailed, match="not within"):
        locks.holder(path)


def test_the_record_of_a_process_that_had_the_pid_before_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        path.write_text(record(other, later=1))
        assert locks.holder(path) is None, "the lock is free, and a stranger lives under its last holder's pid"
        with silent_holder(path, "a drill"), pytest.raises(OperationFailed, match=f"{other.pid}, which is dead"):
            locks.holder(path)
        stranger = locks.Holder(other.pid, (locks.started_at(other.pid) or 0) - 1, "a drill")
        assert not stranger.send(signal.SIGKILL)
        assert other.poll() is None
        path.write_text(record(other))
        itself = locks.holder(path)
        assert itself is not None
        assert itself.send(signal.SIGKILL)
    assert other.returncode == -signal.SIGKILL
    assert not itself.send(signal.SIGKILL)


def test_who_has_ended_and_was_not_asked_for_yet_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as ended:
        (tmp_path / "lock").write_text(record(ended))
        ended.kill()
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert Path("/proc", str(ended.pid)).exists()
        assert locks.holder(tmp_path / "lock") is None


def test_a_look_at_a_lock_keeps_nobody_from_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    threading.Timer(0.1, os.close, [descriptor]).start()
    with held_if_free(path, "a drill") as mine:
        assert mine

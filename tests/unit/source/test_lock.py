"""A lock that says who holds it, and that a dead holder's children keep."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from rmqops.source.lock import held, held_if_free

HOLDER = """
import os, subprocess, sys
from pathlib import Path
from rmqops.source.lock import held
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

"""Commands that keep the lab's lock while they run, and are not cut in the middle."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed
from rmqops.lab.local_runner import LocalRunner
from rmqops.model.commands import Command
from rmqops.system.locks import held, held_if_free
from rmqops.system.parallel import each

KILLED = """
import os, sys, threading, time
from pathlib import Path
from rmqops.lab.local_runner import LocalRunner
from rmqops.model.commands import Command
from rmqops.system.locks import held
lock, started, made = (Path(name) for name in sys.argv[1:])
with held(lock, "lab up", print) as descriptor:
    script = 'sleep 600 & echo $! > "$1"; read _ < "$2"; touch "$3"'
    run = lambda: LocalRunner(descriptor).run(Command.shell(script, str(started), str(started) + ".go", str(made)))
    threading.Thread(target=run, daemon=True).start()
    while not started.exists() or not started.read_text():
        time.sleep(0.01)
    os._exit(9)
"""


def test_what_it_did() -> None:
    done = LocalRunner().run(Command(("sh", "-c", "cat; echo err >&2; exit 3"), stdin="in"))
    assert (done.code, done.stdout, done.stderr) == (3, "in", "err\n")


def test_with_the_lock_arguments_and_exit_code_are_the_same(tmp_path: Path) -> None:
    with held(tmp_path / "lock", "x", print) as descriptor:
        done = LocalRunner(descriptor).run(
            Command(("sh", "-c", 'printf "%s|" "$@"; exit 5', "x", "a b", "$c", ""))
        )
    assert (done.code, done.stdout) == (5, "a b|$c||")


def test_no_program() -> None:
    with pytest.raises(OperationFailed, match="no program"):
        LocalRunner().run(Command(("/nowhere/podman",)))


def test_too_slow() -> None:
    with pytest.raises(OperationFailed, match="did not end"):
        LocalRunner().run(Command(("sleep", "60"), timeout=0.1))


def test_a_killed_lab_up_is_waited_for_until_its_command_has_ended(tmp_path: Path) -> None:
    import os

    lock, started, made = tmp_path / "lock", tmp_path / "started", tmp_path / "made"
    os.mkfifo(f"{started}.go")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(lock), str(started), str(made)], check=False)
    assert killed.returncode == 9
    with held_if_free(lock, "too early") as mine:
        assert not mine, "the lock was let go while a command was under way"

    def let_go(_holder: str) -> None:
        Path(f"{started}.go").write_text("go\n")

    daemon = int(started.read_text())
    try:
        # The command leaves a daemon running, as podman leaves conmon; that one must not hold the lock.
        with held(lock, "lab down", let_go):
            assert made.exists()
        os.kill(daemon, 0)
    finally:
        os.kill(daemon, 15)


def test_side_by_side_in_order() -> None:
    def square(n: int) -> Callable[[], int]:
        return lambda: n * n

    assert each([square(n) for n in range(20)], 4) == [n * n for n in range(20)]


def test_after_a_failure_nothing_new_is_begun() -> None:
    begun = []
    release = threading.Event()

    def fail() -> None:
        raise OperationFailed("broken")

    def slow() -> None:
        begun.append("slow")
        release.wait(10)
        begun.append("slow ended")

    def late() -> None:
        time.sleep(0.01)
        begun.append("late")

    threading.Timer(0.2, release.set).start()
    with pytest.raises(OperationFailed, match="broken"):
        each([slow, fail, *[late] * 1000], 2)
    assert begun[0] == "slow"
    assert "slow ended" in begun
    assert len(begun) < 1000

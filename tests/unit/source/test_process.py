"""Children that end when they are told, and when rmqops dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rmqops.source.process import run_logged

ENVIRON = {"PATH": "/usr/bin:/bin"}

KILLED = """
import sys
from pathlib import Path
from rmqops.source.process import run_logged
script = "echo $$; sleep 1000 & echo $!; wait"
run_logged(["/bin/sh", "-c", script], directory=Path("/"), environ={}, log=Path(sys.argv[1]),
           on_line=lambda line: print(line, flush=True))
"""


def run(tmp_path: Path, script: str) -> tuple[int, list[str]]:
    lines: list[str] = []
    argv = ["/bin/sh", "-c", script]
    code = run_logged(argv, directory=tmp_path, environ=ENVIRON, log=tmp_path / "log", on_line=lines.append)
    return code, lines


def gone(pid: int) -> bool:
    """Tell whether a process ended; a zombie that nobody has waited for yet did."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "ZX"
    except OSError:
        return True


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.02)


def test_both_outputs_are_read_and_kept(tmp_path: Path) -> None:
    assert run(tmp_path, "echo one; echo two >&2; pwd; exit 3") == (3, ["one", "two", str(tmp_path)])
    assert (tmp_path / "log").read_text().splitlines()[-3:] == ["one", "two", str(tmp_path)]


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    assert run(tmp_path, r"printf '\377\n'") == (0, ["\ufffd"])


def test_it_has_a_process_group_of_its_own(tmp_path: Path) -> None:
    _, lines = run(tmp_path, "cut -d' ' -f4,5 /proc/$$/stat")
    parent, group = lines[0].split()
    assert parent == group != str(os.getpgrp())


def test_an_interrupt_ends_the_whole_group(tmp_path: Path) -> None:
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        if len(pids) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_logged(
            ["/bin/sh", "-c", "echo $$; sleep 1000 & echo $!; wait"],
            directory=tmp_path,
            environ=ENVIRON,
            log=tmp_path / "log",
            on_line=interrupt,
        )
    for pid in pids:
        wait_gone(pid)


def test_all_children_die_with_a_killed_rmqops(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "log")], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    pids = [int(killed.stdout.readline()), int(killed.stdout.readline())]
    assert not any(map(gone, pids))
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    killed.stdout.close()
    for pid in pids:
        wait_gone(pid)


def test_a_program_that_a_signal_ends_gives_128_and_its_number(tmp_path: Path) -> None:
    assert run(tmp_path, "kill -KILL $$")[0] == 128 + signal.SIGKILL


def test_a_program_that_is_not_there_fails(tmp_path: Path) -> None:
    code = run_logged(
        ["/no/such/program"], directory=tmp_path, environ=ENVIRON, log=tmp_path / "log", on_line=lambda _line: None
    )
    assert code != 0

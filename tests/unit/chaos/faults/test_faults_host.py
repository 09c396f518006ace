"""The faults that burden a host, run for real on this one, against a small process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan
from rmqops.errors import UsageError
from rmqops.model.commands import Command, Result
from rmqops.model.topology import Instance
from tests.support import waiting
from tests.support.here import in_a_moment, marked, must, run
from tests.support.instances import instance, make_scripts, topology

until = partial(waiting.until, seconds=20)
FAULT = "f-1"


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Instance]:
    """A running instance in a directory whose name needs quoting; what burdens its host ends with it."""
    made = instance("broker-a-0", tmp_path / "it's a $HOME")
    make_scripts(made)
    Path(made.home, "data").mkdir()
    must(Command((f"{made.home}/current/bin/start.sh",)))
    yield made
    must(deadman.disarm(made, FAULT))
    for kind in ("cpu", "memory"):
        must(plan(kind, made).heal)
    os.killpg(int(must(Command((f"{made.home}/current/bin/pid.sh",)))), signal.SIGKILL)


def aim(kind: str, made: Instance, **given: float | str) -> Aim:
    return Aim(made, topology(), faults.options(kind, given), fault=FAULT)


def plan(kind: str, made: Instance, **given: float | str) -> FaultPlan:
    return faults.find(kind).plan(aim(kind, made, **given), "")


def probe(kind: str, made: Instance, **given: float | str) -> Result:
    return run(faults.find(kind).requires(aim(kind, made, **given)))


def helpers(made: Instance) -> list[int]:
    """Return the processes that have the fault's mark."""
    return marked(f"-Drmqops.fault={made.home}/{FAULT}")


def script(command: Command) -> str:
    """Return the text of the script that a command runs."""
    assert command.script is not None
    return command.script.text


@pytest.mark.parametrize(("kind", "given"), [("cpu", {"processes": 2}), ("memory", {"mib": 64})])
def test_a_burden_is_felt_and_is_taken_away_twice(kind: str, given: dict[str, float], victim: Instance) -> None:
    made = plan(kind, victim, **given)
    assert probe(kind, victim, **given).ok
    assert not run(in_a_moment(made.verify)).ok
    must(made.inject)
    must(made.verify)
    assert not run(made.inject).ok, "once is enough"
    assert not run(made.healed).ok
    must(made.heal)
    must(made.healed)
    assert not helpers(victim)
    must(made.cure)


@pytest.mark.parametrize("kind", ["cpu", "memory"])
def test_a_burden_ends_at_the_deadline_of_its_host(kind: str, victim: Instance) -> None:
    made = plan(kind, victim)
    must(made.inject)
    until(lambda: helpers(victim), "a helper")
    must(deadman.arm(victim, FAULT, made.cure, 0.3))
    until(lambda: not helpers(victim), "no helper")
    until(lambda: not Path(victim.home, "heals").exists(), "no heal")


@pytest.mark.parametrize("kind", ["cpu", "memory"])
def test_a_burden_ends_by_itself(kind: str, victim: Instance) -> None:
    made = faults.find(kind).plan(
        replace(aim(kind, victim), options={**aim(kind, victim).options, "bound": 3.0}), ""
    )
    must(made.inject)
    # Known by their pids: a process that is just becoming another program has no command line for a moment.
    started = until(lambda: helpers(victim), "a helper")
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), "no helper")
    until(lambda: not helpers(victim), "no other helper")
    must(made.healed)


@pytest.mark.parametrize("kind", ["cpu", "memory"])
def test_an_instance_that_died_under_its_burden_is_started(kind: str, victim: Instance) -> None:
    made = plan(kind, victim)
    must(made.inject)
    os.killpg(int(must(Command((f"{victim.home}/current/bin/pid.sh",)))), signal.SIGKILL)
    until(lambda: not run(Command((f"{victim.home}/current/bin/pid.sh",))).ok, "dead")
    assert not run(made.healed).ok
    must(made.cure)


def test_memory_that_the_machine_needs_is_not_taken(victim: Instance) -> None:
    available = next(
        int(line.split()[1]) // 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemAvailable:")
    )
    asked = min(available, 65_536)
    if asked + 256 > available:
        done = probe("memory", victim, mib=asked)
        assert not done.ok
        assert f"{asked} MiB less" in done.stderr


def test_what_a_cgroup_may_not_have_is_not_taken(victim: Instance) -> None:
    text = script(faults.find("memory").requires(aim("memory", victim, mib=200)))
    look = text[text.index("look()") : text.index("climb()")]
    group = Path(victim.home, "cgroup")
    group.mkdir()
    (group / "memory.max").write_text(f"{512 << 20}\n")
    (group / "memory.current").write_text(f"{400 << 20}\n")
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {100 << 20}\n")
    tail = 'look "$1" memory.max memory.current inactive_file\necho "$least $who"'
    assert must(Command.shell(f"least=9000 who=machine\n{look}\n{tail}", str(group))) == f"212 cgroup {group}"
    (group / "memory.max").write_text("max\n")
    assert must(Command.shell(f"least=9000 who=machine\n{look}\n{tail}", str(group))) == "9000 machine"


@pytest.fixture
def small(victim: Instance) -> Iterator[Path]:
    """The victim's data directory as a file system of 64 MiB."""
    data = Path(victim.home, "data")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "small", str(data)], check=False)
    if done.returncode:
        pytest.skip("a file system cannot be mounted here")
    yield data
    subprocess.run(["umount", "-l", str(data)], check=True)


def test_a_disk_is_filled_and_emptied_again(victim: Instance, small: Path) -> None:
    (small / "theirs").write_text("messages")
    made = plan("disk-full", victim, leave=4)
    assert probe("disk-full", victim, leave=4).ok
    assert not run(in_a_moment(made.verify)).ok
    must(made.inject)
    must(made.verify)
    assert os.statvfs(small).f_bavail * os.statvfs(small).f_frsize <= 6 << 20
    assert not run(made.healed).ok
    must(made.heal)
    must(made.healed)
    must(made.cure)
    assert [path.name for path in small.iterdir()] == ["theirs"]


def test_a_disk_that_is_filled_without_fallocate(victim: Instance, small: Path, tmp_path: Path) -> None:
    made = plan("disk-full", victim, leave=4)
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "fallocate").write_text("#!/bin/sh\nexit 1\n")
    (broken / "fallocate").chmod(0o755)
    must(replace(made.inject, argv=("env", f"PATH={broken}:{os.environ['PATH']}", *made.inject.argv)))
    must(made.verify)
    must(made.cure)
    assert not list(small.iterdir())


def test_a_heal_ends_who_is_still_writing(victim: Instance, small: Path) -> None:
    made = plan("disk-full", victim)
    file = made.inject.argv[-1]
    writer = subprocess.Popen(["sh", "-c", 'exec 3>"$1"; sleep 60; :', "sh", file], start_new_session=True)
    try:
        until(lambda: Path(file).exists(), "a file")
        assert not run(made.healed).ok
        must(made.cure)
        assert writer.wait(5) == -signal.SIGKILL
    finally:
        subprocess.run(["kill", "-9", "--", f"-{writer.pid}"], check=False, capture_output=True)
        writer.wait()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"leave": 4, "at_most": 8}, "60 MiB would have to be written, and at_most allows 8"),
        ({"leave": 1024}, "there is nothing to fill"),
    ],
)
def test_a_disk_is_not_filled_beyond_what_is_agreed(
    given: dict[str, float], told: str, victim: Instance, small: Path
) -> None:
    done = probe("disk-full", victim, **given)
    assert not done.ok
    assert told in done.stderr
    assert not run(plan("disk-full", victim, **given).inject).ok
    assert not list(small.iterdir())


@pytest.mark.parametrize("kind", ["cpu", "memory", "disk-full"])
def test_a_dead_instance_is_not_burdened(kind: str, victim: Instance) -> None:
    os.killpg(int(must(Command((f"{victim.home}/current/bin/pid.sh",)))), signal.SIGKILL)
    until(lambda: not run(Command((f"{victim.home}/current/bin/pid.sh",))).ok, "dead")
    done = probe(kind, victim)
    assert not done.ok
    assert "does not run" in done.stderr
    must(Command((f"{victim.home}/current/bin/start.sh",)))


_DATE = """#!/bin/sh
case $1 in
  -s) echo "${2#@} $(/bin/date +%s.%N)" | awk '{ printf "%.3f", $1 - $2 }' > "$0.shift" ;;
  *) echo "$(/bin/date +%s.%N) $(cat "$0.shift" 2> /dev/null || echo 0)" | awk '{ printf "%.9f\\n", $1 + $2 }' ;;
esac
"""


class Pretended:
    """A ``date`` that sets no clock."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        (directory / "date").write_text(_DATE)
        (directory / "date").chmod(0o755)

    def __call__(self, command: Command) -> Command:
        path = f"PATH={self._directory}:{os.environ['PATH']}"
        return replace(command, argv=("env", path, *command.argv))

    @property
    def shift(self) -> float:
        file = self._directory / "date.shift"
        return float(file.read_text()) if file.exists() else 0.0

    def set(self, shift: float) -> None:
        (self._directory / "date.shift").write_text(str(shift))


@pytest.fixture
def pretended(tmp_path: Path) -> Pretended:
    return Pretended(tmp_path / "bin")


@pytest.mark.parametrize("seconds", [60, -3600, 2.5])
def test_a_clock_steps_and_is_set_right_twice(seconds: float, victim: Instance, pretended: Pretended) -> None:
    made = plan("clock", victim, seconds=seconds)
    must(pretended(made.heal))
    must(pretended(made.healed))
    assert not run(pretended(made.verify)).ok
    must(pretended(made.inject))
    assert not run(pretended(made.inject)).ok, "a second one would forget the way back"
    must(pretended(made.verify))
    assert pretended.shift == pytest.approx(seconds, abs=1)
    assert not run(pretended(made.healed)).ok
    must(pretended(made.heal))
    must(pretended(made.healed))
    assert pretended.shift == pytest.approx(0, abs=1)
    must(pretended(made.heal))
    assert not list(Path(victim.home).glob(".rmqops*"))


def test_a_clock_that_somebody_else_set_right_stays_right(victim: Instance, pretended: Pretended) -> None:
    made = plan("clock", victim)
    must(pretended(made.inject))
    pretended.set(0.05)
    assert not run(pretended(made.verify)).ok
    must(pretended(made.heal))
    assert pretended.shift == 0.05


def test_a_clock_that_was_off_before_is_off_again(victim: Instance, pretended: Pretended) -> None:
    pretended.set(-500)
    made = plan("clock", victim)
    must(pretended(made.inject))
    must(pretended(made.verify))
    must(pretended(made.heal))
    assert pretended.shift == pytest.approx(-500, abs=1)


def test_the_clock_of_a_container_is_not_set(victim: Instance) -> None:
    done = probe("clock", victim)
    if subprocess.run(["systemd-detect-virt", "--quiet", "--container"], check=False).returncode == 0:
        assert not done.ok
        assert done.stderr == "the clock of a container is its machine's\n"


@pytest.mark.parametrize(
    ("capabilities", "told"), [("000001ffffffffff", ""), ("00000000a80425fb", "there is no CAP_SYS_TIME")]
)
def test_who_may_not_set_the_clock_is_told(capabilities: str, told: str, victim: Instance, tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tsh\nCapEff:\t{capabilities}\n")
    text = script(faults.find("clock").requires(aim("clock", victim))).replace("/proc/self/status", "$2")
    text = "\n".join(line for line in text.splitlines() if "container" not in line)
    text = text.replace("/proc/[0-9]*/comm", f"{tmp_path}/comm")
    (tmp_path / "comm").write_text("sh\n")
    done = run(Command.shell(text, f"{tmp_path}/none", str(status)))
    assert (done.ok, told in done.stderr) == (not told, True)
    (tmp_path / "comm").write_text("chronyd\n")
    assert not run(Command.shell(text, f"{tmp_path}/none", str(status))).ok


def test_a_step_that_nobody_could_see_is_refused(victim: Instance) -> None:
    with pytest.raises(UsageError, match="too small"):
        probe("clock", victim, seconds=1)

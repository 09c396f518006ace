"""The fault of a slow disk, run for real on this machine against a small process; refused where it cannot bite."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan
from rmqops.model.commands import Command, Result
from rmqops.model.topology import Instance
from tests.support.here import alive, must, run
from tests.support.instances import instance, make_scripts, topology

FIRST = "blkio" in Path("/proc/self/cgroup").read_text()
SECOND = Path("/sys/fs/cgroup/cgroup.controllers")
LIMITS = os.geteuid() == 0 and (FIRST or (SECOND.exists() and "io" in SECOND.read_text().split()))
"""Whether this machine has what the fault needs, in version 1 or 2 of cgroups."""
FAULT = f"f-{os.getpid()}"
"""The fault's id names its cgroup, in a tree that this whole machine has in common."""
WHY = "no cgroup may limit disks here, or we are not root"
START = """
exec 9> "$1/data/lock"
exec "$1/current/bin/start.sh"
"""


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Instance]:
    """A running instance that keeps the lock of its store open, in a directory whose name needs quoting."""
    made = instance("broker-a-0", tmp_path / "it's a $HOME")
    make_scripts(made)
    Path(made.home, "data").mkdir()
    must(Command.shell(START, made.home))
    yield made
    if LIMITS:
        must(plan(made).heal)
    os.killpg(alive(made) or 0, signal.SIGKILL)


def probe(made: Instance) -> Result:
    return run(faults.find("slow-disk").requires(aim(made)))


def aim(made: Instance) -> Aim:
    return Aim(made, topology(), faults.options("slow-disk", {}), fault=FAULT)


def plan(made: Instance, found: str = "1 /") -> FaultPlan:
    return faults.find("slow-disk").plan(aim(made), found)


def mounts(made: Instance) -> list[str]:
    """Return what is mounted of ours: by the fault, and in the instance's directory."""
    lines = Path("/proc/mounts").read_text().splitlines()
    return [line for line in lines if line.startswith("rmqops ") or str(Path(made.home).parent) in line]


def groups(pid: int | None) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


@pytest.mark.skipif(LIMITS, reason="it is possible here")
def test_it_is_refused_where_it_cannot_bite(victim: Instance) -> None:
    done = probe(victim)
    assert not done.ok
    assert "only root" in done.stderr or "limit" in done.stderr


@pytest.mark.skipif(not LIMITS, reason=WHY)
def test_it_bites_and_is_healed_twice(victim: Instance) -> None:
    pid, files = alive(victim), sorted(Path(victim.home, "data").iterdir())
    before = groups(pid)
    assert mounts(victim) == []
    made = plan(victim, must(faults.find("slow-disk").requires(aim(victim))))
    assert not run(made.verify).ok
    must(made.inject)
    must(made.verify)
    assert groups(pid) != before
    assert not run(made.healed).ok
    must(made.heal)
    must(made.healed)
    must(made.cure)
    assert (groups(pid), mounts(victim)) == (before, [])
    assert sorted(Path(victim.home, "data").iterdir()) == files


@pytest.mark.skipif(not LIMITS, reason=WHY)
def test_a_disk_that_is_not_slow_is_not_verified(victim: Instance) -> None:
    made = plan(victim, must(faults.find("slow-disk").requires(aim(victim))))
    wide = tuple("10000000000" if part == "262144" else part for part in made.inject.argv)
    must(replace(made.inject, argv=wide))
    # A disk that others keep busy may be as slow by itself for once.
    assert any("were flushed within" in run(made.verify).stderr for _ in range(5))


@pytest.mark.skipif(not LIMITS, reason=WHY)
def test_a_broker_that_dies_meanwhile_is_started(victim: Instance) -> None:
    before = alive(victim)
    made = plan(victim, must(faults.find("slow-disk").requires(aim(victim))))
    must(made.inject)
    os.killpg(before or 0, signal.SIGKILL)
    must(made.cure)
    assert alive(victim) not in {None, before}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may limit a disk")
def test_a_store_in_memory_is_refused(victim: Instance) -> None:
    asked = faults.find("slow-disk").requires(aim(victim)).argv
    memory = """unshare -m sh -c 'mount -t tmpfs none "$0" && exec "$@"' "$@" """
    done = run(Command.shell(memory, f"{victim.home}/data", *asked))
    assert not done.ok
    assert "lies in memory" in done.stderr

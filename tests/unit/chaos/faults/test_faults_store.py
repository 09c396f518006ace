"""The faults of a store and of a start, for real against a small process that keeps a store as a broker does."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.errors import UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Group, Instance, Topology
from tests.support import waiting
from tests.support.here import alive, marked, must, run
from tests.support.instances import instance, make_scripts, topology

until = partial(waiting.until, seconds=20)
LOG = b"an entry of the log\n" * 1000
SIZE = 1 << 20
MARK = "f-1"


def broker(home: Path, store: Path | None = None) -> Instance:
    """Make a member whose process keeps the lock of its store open, and a store with a log that is not full."""
    bare = instance("broker-a-0", home, group="broker-a")
    data = store or home / "data"
    variables = {**bare.variables, "rocketmq_data_dir": str(data), "rocketmq_dledger_id": "n0"}
    made = Instance(bare.name, bare.kind, bare.group, bare.host, bare.connection, variables)
    make_scripts(made)
    start = home / "current" / "bin" / "start.sh"
    start.write_text(
        start.read_text()
        .replace(
            "setsid sh -c 'sleep 60; :'",
            'mkdir -p "$store"; setsid sh -c \'exec 9>"$1/lock"; sleep 60; :\' "$store"',
        )
        .replace(
            "home=$(", f"store='{str(data).replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}'\nhome=$(", 1
        )
        .replace('"-Drmqops.instance=$home"', '"$store" "-Drmqops.instance=$home"')
    )
    log = data / "dledger-n0" / "data"
    log.mkdir(parents=True)
    (log / f"{0:020d}").write_bytes(LOG * 10)
    (log / f"{SIZE:020d}").write_bytes(LOG + bytes(SIZE - len(LOG)))
    (log / f"{2 * SIZE:020d}").write_bytes(bytes(SIZE))
    (data / "config").mkdir()
    (data / "config" / "topics.json").write_text("{}")
    (data / ".hidden").write_text("")
    must(Command((str(start),)))
    return made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where an instance is to be, in a directory whose name needs quoting; what runs there is ended."""
    home = tmp_path / "it's a home"
    yield home
    bare = instance("broker-a-0", home)
    must(deadman.disarm(bare, MARK))
    if (home / "current").exists() and (pid := alive(bare)) is not None:
        os.killpg(pid, signal.SIGKILL)
    for loop in loops(home):
        os.kill(loop, signal.SIGKILL)


def loops(home: Path) -> list[int]:
    """Return the processes of crash loops against an instance."""
    return marked(f"-Drmqops.loop={home}/")


def cluster(made: Instance) -> Topology:
    return Topology("trial", "4.5.2", "trial.yml", (), (Group("broker-a", "dledger", (made,)),), True)


def aim(kind: str, made: Instance, **options: float | str) -> Aim:
    return Aim(made, cluster(made), faults.options(kind, options), fault=MARK)


def planned(kind: str, made: Instance, **options: float | str) -> FaultPlan:
    fault, at = faults.find(kind), aim(kind, made, **options)
    return fault.plan(at, must(fault.requires(at)))


def refused(kind: str, made: Instance) -> str:
    done = run(faults.find(kind).requires(aim(kind, made)))
    assert not done.ok
    return done.stderr


def tree(home: Path) -> dict[str, bytes]:
    """Return every file below a directory, but what start.sh writes."""
    files = (path for path in home.rglob("*") if path.is_file() and path.name not in {"pid", "lock"})
    return {str(path.relative_to(home)): path.read_bytes() for path in files}


def test_a_wiped_store_is_empty_and_the_process_dead_until_the_heal(home: Path) -> None:
    victim = broker(home)
    before, outside = alive(victim), {name for name in tree(home) if not name.startswith("data/")}
    plan = planned("wipe-store", victim)
    assert not run(plan.verify).ok
    must(plan.inject)
    must(plan.verify)
    assert alive(victim) is None
    assert not list((home / "data").iterdir())
    assert not run(plan.healed).ok
    must(plan.heal)
    must(plan.healed)
    after = alive(victim)
    assert after not in {None, before}
    (home / "data" / "new").write_text("copied from the master")
    must(plan.cure)
    assert alive(victim) == after
    assert set(tree(home)) == outside | {"data/new"}


def test_a_wipe_that_died_half_way_is_healed(home: Path) -> None:
    victim = broker(home)
    plan = planned("wipe-store", victim)
    must(faults.find("kill").plan(aim("kill", victim), str(alive(victim))).inject)
    until(lambda: alive(victim) is None, "dead")
    aside = home / "data" / f"wiped-{MARK}"
    aside.mkdir()
    (home / "data" / "config").rename(aside / "config")
    assert "still holds" in run(plan.verify).stderr
    must(plan.cure)
    assert alive(victim)
    assert not aside.exists()


def test_a_store_elsewhere_is_wiped_where_the_inventory_says_so(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "a disk" / "store"
    plan = planned("wipe-store", broker(home, elsewhere))
    must(plan.inject)
    must(plan.verify)
    assert not list(elsewhere.iterdir())
    must(plan.cure)


@pytest.mark.parametrize("kind", ["wipe-store", "cut-log"])
def test_what_may_not_be_the_store_is_not_touched(kind: str, home: Path, tmp_path: Path) -> None:
    victim = broker(home)
    data = home / "data"
    (data / "link").symlink_to(tmp_path)
    assert "symbolic link" in refused(kind, victim)
    (data / "link").unlink()
    data.rename(tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    assert "not a directory" in refused(kind, victim)
    data.unlink()
    data.mkdir()
    (data / "lock").write_text("")
    assert "not known to be its store" in refused(kind, victim)
    (home / "mine").symlink_to(tmp_path)
    variables = {**victim.variables, "rocketmq_data_dir": str(home / "mine" / "elsewhere")}
    moved = Instance(victim.name, victim.kind, victim.group, victim.host, victim.connection, variables)
    assert "not inside" in refused(kind, moved)
    assert len(tree(tmp_path / "elsewhere")) == 5


@pytest.mark.parametrize("kind", ["wipe-store", "cut-log", "read-only"])
def test_a_nameserver_has_no_store(kind: str) -> None:
    server = topology().nameservers[0]
    with pytest.raises(UsageError, match="no store"):
        faults.find(kind).requires(Aim(server, topology(), faults.options(kind, {})))


@pytest.mark.parametrize("kind", ["wipe-store", "cut-log"])
def test_a_process_that_is_no_longer_the_one_that_was_probed_keeps_its_store(kind: str, home: Path) -> None:
    victim = broker(home)
    before = tree(home)
    must(planned("restart", victim).inject)
    stale = faults.find(kind).plan(aim(kind, victim), "1")
    assert "and not as 1" in run(stale.inject).stderr
    assert not run(stale.verify).ok
    assert alive(victim)
    assert tree(home) == before


@pytest.mark.parametrize(("how", "count"), [("zero", 4096), ("flip", 4096), ("zero", 1), ("flip", 1 << 20)])
def test_a_cut_damages_the_last_written_bytes_and_no_others(how: str, count: int, home: Path) -> None:
    victim = broker(home)
    before = tree(home)
    plan = planned("cut-log", victim, how=how, bytes=count)
    assert not run(plan.verify).ok
    must(plan.inject)
    must(plan.verify)
    assert alive(victim) is None
    assert not run(plan.healed).ok
    must(plan.heal)
    must(plan.healed)
    keep = max(0, len(LOG) - count)
    damaged = bytes(len(LOG) - keep) if how == "zero" else bytes(byte ^ 0x80 for byte in LOG[keep:])
    wanted = LOG[:keep] + damaged + bytes(SIZE - len(LOG))
    assert tree(home) == {**before, f"data/dledger-n0/data/{SIZE:020d}": wanted}
    after = alive(victim)
    must(plan.cure)
    assert alive(victim) == after


def test_a_log_without_anything_in_it_cannot_be_cut(home: Path) -> None:
    victim = broker(home)
    for file in (home / "data" / "dledger-n0" / "data").iterdir():
        file.write_bytes(bytes(100))
    plan = planned("cut-log", victim)
    assert "nothing was ever written" in run(plan.inject).stderr
    assert not run(plan.verify).ok
    must(plan.cure)
    assert alive(victim)


def test_a_cut_that_died_half_way_is_not_verified_and_is_healed(home: Path) -> None:
    victim = broker(home)
    plan = planned("cut-log", victim)
    must(plan.inject)
    file = home / "data" / "dledger-n0" / "data" / f"{SIZE:020d}"
    file.write_bytes(LOG + bytes(SIZE - len(LOG)))
    assert "are what they were" in run(plan.verify).stderr
    must(plan.cure)
    assert alive(victim)
    assert not (home / "heals").exists()


def test_a_restart_gives_another_process(home: Path) -> None:
    victim = broker(home)
    before = alive(victim)
    plan = planned("restart", victim)
    assert "still" in run(plan.verify).stderr
    must(plan.inject)
    must(plan.verify)
    after = alive(victim)
    assert after not in {None, before}
    must(plan.cure)
    assert alive(victim) == after
    must(Command((f"{home}/current/bin/stop.sh",)))
    assert not run(plan.healed).ok
    must(plan.cure)
    assert alive(victim)


def test_a_crash_loop_kills_again_and_again_until_it_is_healed(home: Path) -> None:
    victim = broker(home)
    before, was = alive(victim), tree(home)
    plan = planned("crash-loop", victim, every=1)
    must(plan.heal)
    assert alive(victim) == before
    must(plan.inject)
    assert "is there already" in run(plan.inject).stderr
    must(plan.verify)
    assert not run(plan.healed).ok
    must(plan.heal)
    must(plan.healed)
    assert not loops(home)
    after = alive(victim)
    assert after not in {None, before}
    time.sleep(1.5)
    must(plan.cure)
    assert alive(victim) == after
    assert tree(home) == was


def test_the_heal_of_one_loop_leaves_another_and_what_only_looks_like_it(home: Path) -> None:
    victim = broker(home)
    plan = planned("crash-loop", victim, every=60)
    with subprocess.Popen(
        ["sh", "-c", "sleep 60; :", f"-Drmqops.loop={home}/{MARK}1"], start_new_session=True
    ) as stranger:
        try:
            must(plan.inject)
            until(lambda: len(loops(home)) == 2, "both")
            must(plan.cure)
            assert (loops(home), stranger.poll()) == ([stranger.pid], None)
        finally:
            os.killpg(stranger.pid, signal.SIGKILL)


def test_one_that_is_only_about_to_become_the_loop_does_not_take_its_starter_with_it(home: Path) -> None:
    victim = broker(home)
    plan = planned("crash-loop", victim)
    script = 'sh -c "sleep 60; :" "$1" & sleep 60; :'
    with subprocess.Popen(
        ["sh", "-c", script, "sh", f"-Drmqops.loop={home}/{MARK}"], start_new_session=True
    ) as it:
        try:
            until(lambda: len(loops(home)) == 2, "both")
            (child,) = set(loops(home)) - {it.pid}
            must(plan.cure)
            assert not set(loops(home)) & {child, it.pid}
        finally:
            if it.poll() is None:
                os.killpg(it.pid, signal.SIGKILL)


def test_an_armed_heal_ends_a_crash_loop_at_its_deadline(home: Path) -> None:
    victim = broker(home)
    plan = planned("crash-loop", victim, every=1)
    must(plan.inject)
    until(lambda: loops(home), "a loop")
    must(deadman.arm(victim, MARK, plan.cure, 0.3))
    until(lambda: not loops(home) and not (home / "heals").exists(), "healed")
    assert alive(victim)


@pytest.fixture
def mountable(home: Path) -> Iterator[Instance]:
    """A broker whose store may be mounted over; what is left there is unmounted."""
    victim = broker(home.with_name("home"))
    try:
        if not run(faults.find("read-only").requires(aim("read-only", victim))).ok:
            pytest.skip("mounting takes root, and a host that lets root mount")
        yield victim
    finally:
        while mounts(victim):
            subprocess.run(["umount", "-l", f"{victim.home}/data"], check=True)
        must(Command((f"{victim.home}/current/bin/stop.sh",)))


def mounts(made: Instance) -> int:
    return Path("/proc/self/mountinfo").read_text().count(f" {made.home}/data ")


def test_a_store_is_read_only_until_the_heal(mountable: Instance) -> None:
    victim, before = mountable, alive(mountable)
    plan = planned("read-only", victim)
    must(plan.heal)
    assert "can be written to" in run(plan.verify).stderr
    must(plan.inject)
    must(plan.verify)
    with pytest.raises(OSError, match="Read-only"):
        (Path(victim.home) / "data" / "new").write_text("")
    assert not run(plan.healed).ok
    assert "read-only already" in refused("read-only", victim)
    must(plan.cure)
    must(plan.cure)
    (Path(victim.home) / "data" / "new").write_text("")
    assert (mounts(victim), alive(victim)) == (0, before)


def test_a_store_is_unmounted_when_its_process_is_dead_and_what_lay_there_before_stays(
    mountable: Instance,
) -> None:
    victim = mountable
    data = f"{victim.home}/data"
    subprocess.run(["mount", "--bind", data, data], check=True)
    plan = planned("read-only", victim)
    must(plan.inject)
    must(Command((f"{victim.home}/current/bin/stop.sh",)))
    must(plan.cure)
    assert mounts(victim) == 1
    assert alive(victim)


def test_a_mount_that_was_not_made_read_only_any_more_goes_as_well(mountable: Instance) -> None:
    victim = mountable
    plan = planned("read-only", victim)
    must(plan.inject)
    subprocess.run(["mount", "-o", "remount,bind,rw", f"{victim.home}/data"], check=True)
    assert "can be written to" in run(plan.verify).stderr
    must(plan.cure)
    assert mounts(victim) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may mount")
def test_only_root_can_make_a_store_read_only(home: Path) -> None:
    assert "only root" in refused("read-only", broker(home))


def test_options_have_bounds() -> None:
    for kind, option, wrong in (
        ("cut-log", "bytes", 0),
        ("cut-log", "bytes", (1 << 20) + 1),
        ("cut-log", "how", "melt"),
        ("crash-loop", "every", 0),
        ("crash-loop", "every", 61),
    ):
        found: Option = faults.find(kind).OPTIONS[option]
        assert found.wrong(wrong)
        assert found.wrong(found.default) is None

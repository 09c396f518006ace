"""Faults and dead-man heals, run for real against a small process."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms import deadman, plan
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.errors import UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from tests.support.here import alive, in_a_moment, marked, must, run
from tests.support.instances import topology
from tests.support.waiting import until


def sleepers(made: Instance) -> list[int]:
    """Return the processes that stand for armed heals of an instance."""
    return marked(f"-Drmqops.heal={made.home}/")


def the_sleeper(made: Instance) -> int:
    """Return the one process that stands for an armed heal; a child of its looks like it until it is ``sleep``."""
    until(lambda: len(sleepers(made)) == 1, "one sleeper")
    (sleeper,) = sleepers(made)
    return sleeper


def living(session: int) -> list[str]:
    """Return the processes of a session that are not dead; who collects the dead is the system's affair."""
    fields = [_read(path).rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    return [" ".join(each[:4]) for each in fields if len(each) > 3 and each[3] == str(session) and each[0] != "Z"]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def kill(made: Instance) -> plan.FaultPlan:
    return planned("kill", made)


def planned(kind: str, made: Instance, **given: float | str) -> plan.FaultPlan:
    fault, aim = faults.find(kind), Aim(made, topology(), faults.options(kind, given), fault="f-1")
    return fault.plan(aim, must(fault.requires(aim)))


def test_every_file_is_a_fault() -> None:
    assert "kill" in faults.kinds()
    for kind in faults.kinds():
        assert faults.find(kind).SUMMARY
    with pytest.raises(UsageError, match="kill"):
        faults.find("no-such")


def test_every_fault_and_its_options_are_in_the_docs() -> None:
    """Each has a row in the tables of docs/drills.md with its options, their defaults, and no others."""
    page = (Path(__file__).parents[4] / "docs" / "drills.md").read_text("utf-8")
    section = page[page.index("\n## Faults\n") : page.index("\n## The file of a drill\n")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line[:3] == "| `"]
    assert sorted(row[0].strip("`") for row in rows) == list(faults.kinds())
    for kind, _, told, _ in rows:
        options = faults.find(kind.strip("`")).OPTIONS
        assert re.findall(r"`(\w+)`", told) == list(options), kind
        for name, option in options.items():
            assert f"`{name}` {option.default}" in told, (kind, name)


@pytest.mark.parametrize(("kind", "given"), [("kill", {}), ("kill", {"stay": 1}), ("terminate", {})])
def test_a_death_bites_and_is_healed_twice(kind: str, given: dict[str, float], victim: Instance) -> None:
    before = alive(victim)
    plan = planned(kind, victim, **given)
    must(plan.inject)
    must(plan.verify)
    assert alive(victim) is None
    assert not run(plan.healed).ok
    must(plan.heal)
    must(plan.healed)
    after = alive(victim)
    assert after not in {None, before}
    must(plan.cure)
    assert alive(victim) == after


def test_a_pause_bites_and_is_healed_twice(victim: Instance) -> None:
    before = alive(victim)
    plan = planned("pause", victim)
    assert not run(in_a_moment(plan.verify)).ok
    must(plan.inject)
    must(plan.verify)
    assert state(before) == "T"
    assert not run(in_a_moment(plan.healed)).ok
    must(plan.heal)
    must(plan.healed)
    assert (alive(victim), state(before)) == (before, "S")
    must(plan.cure)
    assert alive(victim) == before


def test_a_process_that_dies_while_it_is_paused_is_started(victim: Instance) -> None:
    before = alive(victim)
    plan = planned("pause", victim)
    must(plan.inject)
    must(kill(victim).inject)
    until(lambda: alive(victim) is None, "dead")
    must(plan.cure)
    assert alive(victim) not in {None, before}


def state(pid: int | None) -> str:
    """Return the letter that the kernel gives to what a process is doing."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def test_a_kill_that_did_not_happen_is_not_verified(victim: Instance) -> None:
    done = run(in_a_moment(kill(victim).verify))
    assert not done.ok
    assert "still alive" in done.stderr


def test_a_process_that_is_no_longer_the_instance_is_not_killed(victim: Instance) -> None:
    before, plan = alive(victim), kill(victim)
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        Path(victim.home, "run", "pid").write_text(str(stranger.pid))
        assert not run(plan.inject).ok
        assert not run(faults.find("kill").requires(Aim(victim, topology()))).ok
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        Path(victim.home, "run", "pid").write_text(str(before))


def test_a_dead_instance_cannot_be_killed(victim: Instance) -> None:
    must(kill(victim).inject)
    until(lambda: alive(victim) is None, "dead")
    done = run(faults.find("kill").requires(Aim(victim, topology())))
    assert not done.ok
    assert "does not run" in done.stderr


def test_an_armed_heal_fires_at_its_deadline_and_leaves_nothing(victim: Instance) -> None:
    plan = kill(victim)
    must(plan.inject)
    must(plan.verify)
    must(deadman.arm(victim, "f-1", plan.cure, 0.3))
    until(lambda: alive(victim), "alive again")
    until(lambda: not sleepers(victim), "no sleeper")
    assert must(deadman.armed(victim)) == ""
    assert not Path(victim.home, "heals").exists()


def test_a_disarmed_heal_never_fires(victim: Instance) -> None:
    plan = kill(victim)
    must(deadman.arm(victim, "f-1", plan.cure, 30))
    sleeper = the_sleeper(victim)
    assert os.getsid(sleeper) == sleeper, "its own session, so that it outlives ours"
    assert must(deadman.disarm(victim, "f-1")) == "armed"
    until(lambda: not sleepers(victim), "no sleeper")
    until(lambda: not living(sleeper), "nobody of its session")
    assert must(deadman.disarm(victim, "f-1")) == "gone"
    assert not Path(victim.home, "heals").exists()


def test_two_heals_of_one_name_are_refused_and_the_first_stays(victim: Instance) -> None:
    plan = kill(victim)
    must(deadman.arm(victim, "f-1", plan.cure, 60))
    first = the_sleeper(victim)
    assert not run(deadman.arm(victim, "f-1", plan.cure, 60)).ok
    assert the_sleeper(victim) == first


def test_disarming_one_heal_leaves_the_other(victim: Instance) -> None:
    plan = kill(victim)
    must(deadman.arm(victim, "f-1", plan.cure, 60))
    must(deadman.arm(victim, "f-11", plan.cure, 60))
    must(deadman.disarm(victim, "f-1"))
    assert must(deadman.armed(victim)) == "f-11"
    assert the_sleeper(victim)
    must(deadman.disarm(victim, "f-11"))


def test_an_armed_heal_can_be_run_by_anybody_who_finds_it(victim: Instance) -> None:
    plan = kill(victim)
    must(deadman.arm(victim, "f-1", plan.cure, 60))
    must(plan.inject)
    must(plan.verify)
    must(deadman.fire(victim, must(deadman.armed(victim)), 10))
    assert alive(victim)


def test_an_armed_heal_is_found_by_its_fault_alone(victim: Instance) -> None:
    """Whatever the inventory says of its directory by now: the sleeper knows where it lies."""
    plan, fault = kill(victim), f"find-{os.getpid()}-1"
    must(deadman.arm(victim, fault, plan.cure, 60))
    try:
        assert must(deadman.find(fault)) == deadman.path(victim, fault)
        assert must(deadman.find(f"{fault}1")) == must(deadman.find(fault[1:])) == ""
        must(plan.inject)
        must(plan.verify)
        must(deadman.fire_at(must(deadman.find(fault)), 10))
        assert alive(victim)
    finally:
        assert must(deadman.disarm_at(deadman.path(victim, fault))) == "armed"
    assert must(deadman.find(fault)) == ""


def test_a_heal_that_fails_stays_armed(victim: Instance) -> None:
    must(deadman.arm(victim, "f-1", Command(("/bin/sh", "-c", "echo no >&2; exit 1")), 0.05))
    log = Path(victim.home, "heals", "f-1.log")
    until(lambda: "no" in log.read_text(), "the heal was tried")
    assert must(deadman.armed(victim)) == "f-1"
    assert not run(deadman.fire(victim, "f-1", 10)).ok

"""Waits that end by time, in each shell that is here; and that no script of ours waits in any other way."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import rmqops
from rmqops.chaos import faults
from rmqops.chaos.mechanisms import bounded_wait, deadman
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.model.commands import Command, Script
from rmqops.model.topology import Instance
from tests.support.here import alive, marked, must, run
from tests.support.instances import topology

ROOT = Path(rmqops.__file__).parents[1]
SHELLS = [shell for shell in (["sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return list(request.param)


def told(shell: list[str], text: str, *arguments: str, seconds: float) -> tuple[int, list[str]]:
    """Run a script that waits by a shell; return its exit code and the lines that it prints."""
    script = bounded_wait.script(text, *arguments, seconds=seconds)
    argv = [*shell, "-c", script.text, "sh", *script.arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.split()


def test_a_wait_ends_when_its_condition_holds(shell: list[str], tmp_path: Path) -> None:
    file = tmp_path / "it's a file"
    file.write_text("")
    text = 'look() { echo look >> "$1"; [ "$(wc -l < "$1")" -ge 3 ]; }\nwait_until look "$1" && echo three'
    assert told(shell, text, str(file), seconds=60) == (0, ["three"])
    assert file.read_text().split() == ["look"] * 3


@pytest.mark.parametrize("look", ["false", "sleep 0.7; false"], ids=["quick", "slow"])
def test_a_wait_ends_by_time_however_long_a_look_takes(look: str, shell: list[str]) -> None:
    text = f"look() {{ echo look; {look}; }}\nwait_until look || {{ echo over; exit 3; }}"
    code, lines = told(shell, text, seconds=1)
    assert (code, lines[-1]) == (3, "over")
    looks = len(lines) - 1
    assert 2 <= looks <= (3 if "sleep" in look else 40)


def test_there_is_a_last_look_after_the_bound(shell: list[str]) -> None:
    text = "look() { overdue; }\nwait_until look && echo seen"
    assert told(shell, text, seconds=1) == (0, ["seen"])


def test_waits_share_the_bound_of_their_script_unless_it_says_otherwise(shell: list[str]) -> None:
    text = 'look() { looks=$((looks + 1)); false; }\nlooks=0\nwait_until look\nwait_until look\necho "$looks"'
    _, (shared,) = told(shell, text, seconds=0)
    assert shared == "2", "the second one looks once"
    assert told(shell, "within 60\nwait_until true && ! overdue && echo early", seconds=0) == (0, ["early"])


@pytest.mark.parametrize(
    ("uptime", "hundredths"), [("0.08 0.01", 8), ("9.99 1.00", 999), ("1234567.09 2.00", 123456709)]
)
def test_the_clock_is_read_in_hundredths(uptime: str, hundredths: int, shell: list[str], tmp_path: Path) -> None:
    clock = tmp_path / "uptime"
    clock.write_text(f"{uptime}\n")
    text = bounded_wait.SHELL.replace("/proc/uptime", str(clock)) + 'uptime && echo "$uptime"'
    done = subprocess.run([*shell, "-c", text], capture_output=True, text=True, check=True)
    assert int(done.stdout) == hundredths


def test_without_a_clock_nothing_is_waited_for(shell: list[str]) -> None:
    text = bounded_wait.SHELL.replace("/proc/uptime", "/proc/none") + "wait_until true && echo waited"
    done = subprocess.run([*shell, "-c", text], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def aim(kind: str) -> Aim:
    """Aim a fault, as it is by default, at a broker whose NameServer has an address of its own."""
    whole = topology()
    far, *others = whole.nameservers
    far = replace(far, variables={**far.variables, "rocketmq_address": "192.0.2.7"})
    whole = replace(whole, nameservers=(far, *others))
    victim = whole.brokers[0]
    victim = replace(victim, variables={**victim.variables, "rocketmq_dledger_id": "n0"})
    return Aim(victim, whole, faults.options(kind, {}), fault="f-1", clients=("192.0.2.8",))


def commands() -> Iterator[tuple[str, Command]]:
    """Yield every command that waits on a host, and what it is of."""
    for kind in faults.kinds():
        plan = faults.find(kind).plan(aim(kind), "1 /")
        for step in ("inject", "verify", "heal", "healed", "cure"):
            yield f"{kind} {step}", getattr(plan, step)
    yield "arm", deadman.arm(topology().brokers[0], "f-1", Command(("true",)), 5)


WAITING = {name: command for name, command in commands() if "wait_until " in str(command)}


def test_most_faults_wait_for_something() -> None:
    kinds = {name.split()[0] for name in WAITING}
    assert kinds == {"arm", *faults.kinds()} - {"clock", "restart"}


@pytest.mark.parametrize("name", WAITING)
def test_a_command_may_take_longer_than_its_script_waits(name: str) -> None:
    command = WAITING[name]
    bounds = [int(bound) for bound in re.findall(r"^within (\d+)$", str(command), re.MULTILINE)]
    assert bounds, "it waits without a bound"
    assert command.timeout >= sum(bounds) + bounded_wait.MARGIN


def counted_waits(text: str) -> list[str]:
    """Return the loops of a shell text that sleep and count."""
    begun: list[int] = []
    loops = []
    for token in re.finditer(r";\s*do\b|(?:^|;)\s*done\b(?!=)", text, re.MULTILINE):
        if token[0].endswith("do"):
            begun.append(text.rfind("\n", 0, token.start()) + 1)
        elif begun:
            loops.append(text[begun.pop() : token.end()])
    counts = re.compile(r"\b(\w+)=\$\(\(\s*\1\s*[+-]\s*\d+\s*\)\)|\bin [^;]*\b(?:seq|1 2 3)\b")
    return [loop for loop in loops if re.search(r"\bsleep\b", loop) and counts.search(loop)]


def shell_texts() -> Iterator[tuple[str, str]]:
    """Yield every string of the package, and every template and file that a host runs, with its place."""
    for path in sorted((ROOT / "rmqops").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path}:{node.lineno}", node.value
            elif isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values)
                yield f"{path}:{node.lineno}", "".join(parts)
    for folder in ("templates", "roles", "playbooks", "rmqops/lab/image"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                yield str(path), path.read_text("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "tries=0\nuntil ours; do\n  tries=$((tries + 1))\n  sleep 0.05\ndone",
        "while ours; do left=$((left - 1)); sleep 1; done",
        "for _ in $(seq 10); do ours && break; sleep 1; done",
        "for _ in 1 2 3; do\n  if ours; then\n    for x in a; do :; done\n  fi\n  sleep 1\ndone",
    ],
)
def test_a_wait_that_counts_is_found(text: str) -> None:
    assert counted_waits(text)


def test_no_wait_of_ours_counts() -> None:
    texts = list(shell_texts())
    assert sum("wait_until " in text for _, text in texts) > 15
    assert {place: loops for place, text in texts if (loops := counted_waits(text))} == {}


_SLOW = """#!/bin/sh
/bin/sleep 0.3
exec {program} "$@"
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[Command], Command]:
    """Run commands as on a host that is short of processor time: each search and each rest takes 0.3 s longer."""
    directory = tmp_path / "slow"
    directory.mkdir()
    for name in ("grep", "sleep", "sort", "sed"):
        (directory / name).write_text(_SLOW.format(program=shutil.which(name)))
        (directory / name).chmod(0o755)

    def slowed(command: Command) -> Command:
        return replace(command, argv=("env", f"PATH={directory}:{os.environ['PATH']}", *command.argv))

    return slowed


def soon(command: Command) -> Command:
    """Return a command that waits for 1 s and is cut off after 20 s; a hundred looks would take longer."""
    assert command.script is not None
    text = re.sub(r"^within \d+$", "within 1", command.script.text, flags=re.MULTILINE)
    return replace(command.script, text=text).command(timeout=20)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("kill", "is still alive"),
        ("pause", "is not stopped but"),
        ("cpu", "loops of"),
        ("memory", "MiB of 16 are held"),
        ("crash-loop", "killed only 0 times"),
    ],
)
def test_on_a_loaded_host_a_fault_that_is_not_in_force_ends_with_its_own_reason(
    kind: str, reason: str, victim: Instance, loaded: Callable[[Command], Command]
) -> None:
    pid = str(alive(victim))
    made = faults.find(kind).plan(on(victim, kind), pid)
    if kind == "crash-loop":
        note = Path(victim.home, "heals", "f-1.killed")
        note.parent.mkdir()
        note.write_text("")
    done = run(loaded(soon(made.verify)))
    assert not done.ok
    assert reason in done.stderr


@pytest.mark.parametrize("kind", ["kill", "cpu", "memory"])
def test_on_a_loaded_host_a_fault_is_verified_and_healed_in_time(
    kind: str, victim: Instance, loaded: Callable[[Command], Command]
) -> None:
    fault, where = faults.find(kind), on(victim, kind)
    made = fault.plan(where, must(loaded(fault.requires(where))))
    try:
        for step in (made.inject, made.verify, made.heal, made.healed):
            must(loaded(step))
    finally:
        run(made.cure)
    assert alive(victim)
    assert marked(f"-Drmqops.fault={victim.home}/") == []


def on(victim: Instance, kind: str) -> Aim:
    given = {"memory": {"mib": 16.0}, "cpu": {"processes": 1.0}}.get(kind, {})
    return Aim(victim, topology(), faults.options(kind, given), fault="f-1")


def test_a_look_is_repeated_until_it_succeeds_and_its_last_words_are_told(tmp_path: Path) -> None:
    look = Script(
        'echo "$1" >> "$2"; [ "$(wc -l < "$2")" -ge "$3" ] || { echo "$(wc -l < "$2") of $3" >&2; exit 4; }'
    )
    file = tmp_path / "it's a file"
    enough = replace(look, arguments=("a word", str(file), "3"))
    must(bounded_wait.repeated(enough, seconds=60))
    assert file.read_text() == "a word\n" * 3
    file.unlink()
    done = run(bounded_wait.repeated(replace(look, arguments=("x", str(file), "1000")), seconds=1))
    assert (done.code, done.stderr.strip()) == (1, f"{len(file.read_text().split())} of 1000")

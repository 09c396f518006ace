"""Every fault's commands, run by root over a store in which its owner has planted links, pipes and directories.

Faults are enumerated, so a new one is held to this by itself. The names that are planted are those which the
fault's own commands mention below data and logs. A fault is put in force only where its probe allows it on this
machine, in a network of its own and without the right to set the clock or to reboot.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rmqops.chaos import faults
from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.errors import UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Group, Instance, Topology
from tests.support.here import marked
from tests.support.instances import instance, make_scripts
from tests.support.planting import NOBODY, Canary, ground, needs_root, own, plant

pytestmark = needs_root

APART = ("unshare", "-n", "setpriv", "--bounding-set", "-sys_time,-sys_boot", "--")
SECONDS = 60
"""Far more than any command takes whose waits are cut short; one that waits for a pipe would take for ever."""
OPTIONS: dict[str, dict[str, float | str]] = {
    "cpu": {"processes": 1, "bound": 20},
    "memory": {"mib": 16, "bound": 20},
    "crash-loop": {"every": 1},
    "disk-full": {"at_most": 1_048_576},
    "slow-disk": {"kib": 16},
    "clock": {"seconds": 3},
}
FAULT = "f-1"


def run(command: Command) -> subprocess.CompletedProcess[str]:
    """Run a command apart, with its waits cut short; it ends long before it is given up."""
    argv = [re.sub(r"^within \d+$", "within 1", word, flags=re.MULTILINE) for word in command.argv]
    done = subprocess.run(
        [*APART, *argv], capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS, check=False
    )
    assert "root's own words" not in done.stdout + done.stderr
    return done


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with ground() as path:
        yield path


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary.put(tmp_path / "of root")


@pytest.fixture
def victim(tmp_path: Path, canary: Canary) -> Iterator[Instance]:
    """A member whose process keeps its store open, and whose data and logs are another user's."""
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be run apart here")
    home = tmp_path / "home"
    made = instance("broker-a-0", home, group="broker-a")
    variables = {
        **made.variables,
        "rocketmq_supervisor": "systemd",
        "rocketmq_user": NOBODY,
        "rocketmq_dledger_id": "n0",
    }
    made = Instance(made.name, made.kind, made.group, made.host, made.connection, variables)
    make_scripts(made)
    start = home / "current" / "bin" / "start.sh"
    start.write_text(start.read_text().replace("'sleep 60; :'", f"'exec 9>>{home}/data/lock; sleep 60; :'"))
    log = home / "data" / "dledger-n0" / "data"
    log.mkdir(parents=True)
    (log / f"{0:020d}").write_bytes(b"an entry\n" * 1000 + bytes(5000))
    for name in ("checkpoint", "abort", "lock"):
        (home / "data" / name).touch()
    (home / "data" / ".rmqops").write_text("trial/broker-a-0\n")
    (home / "logs").mkdir()
    (home / "logs" / "console.log").touch()
    for part in ("data", "logs"):
        own(home / part, NOBODY)
    yield made
    for process in marked(f"-Drmqops.instance={home}"):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    canary.unharmed()


def aim(kind: str, made: Instance) -> Aim:
    cluster = Topology("trial", "4.5.2", "trial.yml", (), (Group("broker-a", "dledger", (made,)),), True)
    options = dict(faults.options(kind, OPTIONS.get(kind, {})))
    if kind == "disk-full":
        free = shutil.disk_usage(made.home).free >> 20
        options["leave"] = free - 8  # so that a few MiB are written
    return Aim(made, cluster, options, fault=FAULT, clients=("127.0.0.1",))


def planted_names(made: Instance, commands: list[Command]) -> set[Path]:
    """Return what the commands of a fault name below what the service may write, and what is not of its store."""
    home = Path(made.home)
    words = {word.removeprefix("of=") for command in commands for word in command.argv}
    parts = {Path(os.path.normpath(word)) for word in words if word.startswith((f"{home}/data/", f"{home}/logs/"))}
    parts |= {Path(f"{part}.try") for part in parts if "rmqops-fault" in part.name}
    return {path for path in parts if path.parent == home / "data" and not path.name.startswith("dledger")}


@pytest.mark.parametrize("kind", faults.kinds())
def test_no_fault_leads_root_astray(kind: str, victim: Instance, canary: Canary) -> None:
    fault, at = faults.find(kind), aim(kind, victim)
    assert run(Command((f"{victim.home}/current/bin/start.sh",))).returncode == 0
    try:
        probed = run(fault.requires(at))
    except UsageError:
        pytest.skip("it is not for brokers")
    allowed = probed.returncode == 0
    try:
        plan = fault.plan(at, probed.stdout.strip() if allowed else "1 /nowhere")
    except (IndexError, ValueError):  # what is not there cannot be guessed
        pytest.skip(f"it is refused here: {probed.stderr}")
    commands = [plan.inject, plan.verify, plan.heal, plan.healed, *([fault.requires(at)] if allowed else [])]
    names = planted_names(victim, commands)
    run_directory = Path(victim.home, "run")
    for plant_kind in ("link", "fifo", "directory", "link-to-directory")[: 4 if names else 1]:
        for step in (plan.inject, plan.verify, plan.heal, plan.healed):
            for path in names:
                plant(plant_kind, path, canary.file, NOBODY)
            if step is not plan.inject or allowed:
                run(step)
            canary.unharmed()
            assert {path.name for path in run_directory.iterdir()} <= {"pid"}, "notes lie elsewhere"
        for path in names:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    run(deadman.disarm(victim, FAULT))
    run(plan.heal)


def test_what_a_fault_puts_into_a_store_is_its_owners(victim: Instance) -> None:
    """A link that comes between a look and a write then leads nowhere that he may not go himself."""
    assert run(Command((f"{victim.home}/current/bin/start.sh",))).returncode == 0
    at = aim("disk-full", victim)
    plan = faults.find("disk-full").plan(at, run(faults.find("disk-full").requires(at)).stdout)
    assert run(plan.inject).returncode == 0
    assert Path(victim.home, "data", f".rmqops-fault-{FAULT}").owner() == NOBODY
    assert run(plan.cure).returncode == 0
    at = aim("wipe-store", victim)
    plan = faults.find("wipe-store").plan(at, run(faults.find("wipe-store").requires(at)).stdout)
    own_file = Path(victim.home, "data", "of-root")
    own_file.mkdir(mode=0o755)
    (own_file / "kept").touch()
    run(plan.inject)
    assert (own_file / "kept").exists() or list(Path(victim.home, "data").glob("wiped-*/of-root/kept"))


def test_a_log_that_became_a_link_is_not_cut(victim: Instance, canary: Canary) -> None:
    """The end of it is looked for, read and damaged by name; between any two of them it may change."""
    at = aim("cut-log", victim)
    assert run(Command((f"{victim.home}/current/bin/start.sh",))).returncode == 0
    plan = faults.find("cut-log").plan(at, run(faults.find("cut-log").requires(at)).stdout)
    assert run(plan.inject).returncode == 0
    assert run(plan.verify).returncode == 0
    (log,) = Path(victim.home, "data", "dledger-n0", "data").iterdir()
    assert Path(victim.home, "heals", f"{FAULT}.cut").is_dir()
    for kind in ("link", "fifo"):
        plant(kind, log, canary.file, NOBODY)
        assert run(plan.verify).returncode != 0
        canary.unharmed()
    assert run(plan.heal).returncode == 0
    assert run(plan.healed).returncode == 0
    assert not Path(victim.home, "heals").exists()

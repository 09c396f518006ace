"""What the service may write is full of links, pipes and holes, and root runs every script of rmqops' over it.

What root owns stays as it is and is shown to nobody, and nothing hangs. The faults have a test of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.run import leader_terms
from rmqops.model.commands import Command
from rmqops.model.topology import Group, Instance, Topology
from rmqops.operations.check import probes
from rmqops.operations.hosts import directories, facts, logs, sections
from rmqops.operations.hosts.machines import machines
from rmqops.operations.observe import commit_log_tail, health, heartbeats
from rmqops.operations.plan import trees
from rmqops.transport.fake import FakeTransport
from rmqops.transport.local import LocalTransport
from tests.support.modules import run_module
from tests.support.planting import NOBODY, PLANTS, Canary, ground, needs_root, own, plant
from tests.unit.model.conftest import edited, load

pytestmark = needs_root

ROOT = Path(__file__).parents[4]
SECONDS = 60
"""Far more than any of them takes; one that waits for a pipe would take for ever."""
COVERED = {
    "chaos/faults/disk_full.py",
    "chaos/mechanisms/store_directory.py",
    "chaos/run/leader_terms.py",
    "cli/plan_table.py",  # shows it
    "operations/check/probes/disk.py",
    "operations/check/probes/obstacles.py",
    "operations/check/probes/passage.py",  # as the service
    "operations/check/probes/scheduler.py",
    "operations/check/probes/write_speed.py",
    "operations/hosts/execute.py",  # hands it to a command of the operator's
    "operations/hosts/facts.py",
    "operations/hosts/logs.py",
    "operations/observe/commit_log_tail.py",
    "operations/observe/heartbeats.py",
}
"""The modules that name a data or a log directory to a host: each is run here or in the test of the faults."""
NAMES = {
    "data": [
        "abort",
        "checkpoint",
        "lock",
        "config",
        "commitlog/00000000000000000000",
        "consumequeue/t/0/0",
        ".rmqops",
    ],
    "logs": ["console.log", "console.log.old", "broker.log", "otherdays/broker.1.log.gz", ".rmqops"],
}
"""What a broker has there, and rmqops."""


def test_whoever_names_such_a_directory_is_tried() -> None:
    words = ('text("rocketmq_data_dir")', 'text("rocketmq_log_dir")', "text('rocketmq_log_dir')")
    source = ROOT / "rmqops"
    found = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if any(word in path.read_text("utf-8") for word in words) and path.parts[-2] != "rules"
    }
    assert found == COVERED


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with ground() as path:
        yield path


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary.put(tmp_path / "of root")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The base directory."""
    return tmp_path / "srv"


@pytest.fixture
def broker(place: Path, canary: Canary) -> Iterator[Callable[[str], Instance]]:
    """Deploy an instance as root for a unit that runs as another user, and plant something under every name."""

    def made(kind: str) -> Instance:
        edits = {"vars.rocketmq_base_dir": "/srv/rmqops-test", "vars.rocketmq_supervisor": "systemd"}
        topology = load(edited("laptop", {**edits, "vars.rocketmq_user": NOBODY}))[0]
        instance = _moved(topology.brokers[0], place)
        deploy(instance, place)
        for part, names in NAMES.items():
            for name in names:
                path = Path(instance.home, part, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        for part in NAMES:
            own(Path(instance.home, part), NOBODY)
        for part, names in NAMES.items():
            for name in names:
                plant(kind, Path(instance.home, part, name), canary.file, NOBODY)
        run_dir = Path(instance.home, "run")
        run_dir.mkdir()
        own(run_dir, NOBODY)
        for name in ("pid", "lock", "promoted"):
            plant(kind, run_dir / name, canary.file, NOBODY)
        return instance

    yield made
    canary.unharmed()


def _moved(instance: Instance, place: Path) -> Instance:
    """Return an instance as if its base directory were here: units are refused where temporary files lie."""
    variables = {
        key: value.replace("/srv/rmqops-test", str(place)) if isinstance(value, str) else value
        for key in instance.variables
        if key.startswith(("rocketmq_", "ansible_"))
        and not key.startswith(("rocketmq_built", "rocketmq_archives"))
        for value in [instance.variables[key]]
    }
    name, kind, group = instance.name, instance.kind, instance.group
    return Instance(name, kind, group, "127.0.0.1", "local", variables)


def deploy(instance: Instance, place: Path) -> dict[str, object]:
    """Do what the role does."""
    given: dict[str, object] = {
        "path": instance.home,
        "base": str(place),
        "owner_mark": f"test/{instance.name}",
        "data": instance.text("rocketmq_data_dir"),
        "logs": instance.text("rocketmq_log_dir"),
        "user": NOBODY,
    }
    told = run_module("rocketmq_directories", given)
    assert "failed" not in told, told
    scripts = {
        "bin/pid.sh": "#!/bin/sh\nexit 1\n",
        "bin/start.sh": "#!/bin/sh\nexit 1\n",
        "conf/broker.p": "a=1\n",
    }
    told = run_module("rocketmq_tree", {"path": instance.home, "files": scripts, "keep": 3})
    assert "failed" not in told, told
    return given


def run(command: Command) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command.argv, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS, check=False
    )


def told(*texts: str) -> None:
    """Hold that nothing of root's was said."""
    for text in texts:
        assert "root's own words" not in text


@pytest.mark.parametrize("kind", PLANTS)
def test_logs_are_read_as_the_service_and_what_is_none_is_named(
    kind: str, broker: Callable[[str], Instance]
) -> None:
    instance = broker(kind)
    lines, errors = logs.recent([instance], ["console.log", "broker.log"], 10, lambda _: LocalTransport())
    assert not errors
    told(*(line.text for line in lines))
    if kind != "hole":
        assert len([line for line in lines if "is not read: it is a" in line.text]) == 2, lines
    topology = Topology("test", "4.5.2", "x", (), (Group("g", "single", (instance,)),), False)
    told(*health.reasons(topology, [instance.name], lambda _: LocalTransport()))
    heartbeats.survey(topology, lambda _: LocalTransport())
    if kind != "hole":  # a log of a terabyte is read for as long as its command may take
        done = run(leader_terms.ask(instance))
        told(done.stdout, done.stderr)


@pytest.mark.parametrize("kind", PLANTS)
def test_facts_and_probes_look_and_are_not_led_astray(kind: str, broker: Callable[[str], Instance]) -> None:
    instance = broker(kind)
    (machine,) = machines([instance])
    done = run(facts.question(machine))
    assert done.returncode == 0, done.stderr
    told(done.stdout)
    found = facts.parse(machine, done.stdout)[instance.name]
    assert found.mark == f"test/{instance.name}"
    assert found.pid is None
    for part in ("data", "logs"):
        directory = found.directories[part]
        assert directory.mark in {None, "?"}, "what is planted is no mark"
    survey = probes.Survey(machines=(machine,), facts={instance.name: found}, python="python3")
    for name in ("disk", "obstacles", "scheduler", "write-speed"):
        commands = list(probes.discover()[name].ask(machine, survey))
        done = run(sections.joined(commands, SECONDS))
        told(done.stdout)
        assert sections.NEVER not in sections.answers(done.stdout, len(commands)), name


@pytest.mark.parametrize("kind", PLANTS)
def test_a_promotion_counts_and_sets_aside_as_the_service(kind: str, broker: Callable[[str], Instance]) -> None:
    instance = broker(kind)
    data = Path(instance.home, "data")
    plant(kind, data / "not-copied", data.parents[3] / "of root" / "secret", NOBODY)
    commands: list[Command] = []

    def answer(command: Command) -> tuple[int, str]:
        commands.append(command)
        return 0, json.dumps({"messages": 0, "bytes": 0, "before": "", "aside": ""})

    commit_log_tail.count(instance, 0, FakeTransport(answer))
    commit_log_tail.set_aside(instance, 0, FakeTransport(answer))
    for command in commands:
        if kind == "hole":
            continue  # it is the log, and read whole
        done = run(Command((sys.executable, *command.argv[1:])))
        told(done.stdout, done.stderr)
        assert done.returncode != 0
        assert "is not a regular file" in done.stderr


def test_a_promotion_sets_aside_where_nothing_is_planted(place: Path) -> None:
    """What it makes is the service's, without a single change of owners."""
    edits = {"vars.rocketmq_base_dir": "/srv/rmqops-test", "vars.rocketmq_supervisor": "systemd"}
    instance = _moved(load(edited("laptop", {**edits, "vars.rocketmq_user": NOBODY}))[0].brokers[0], place)
    deploy(instance, place)
    data = Path(instance.home, "data")
    log = data / "commitlog" / f"{0:020d}"
    log.parent.mkdir()
    message = (100).to_bytes(4, "big") + (0xDAA320A7).to_bytes(4, "big") + bytes([1]) * 92
    log.write_bytes(message * 3 + bytes(1000))
    own(data, NOBODY)
    transport = FakeTransport(lambda command: (0, run(Command((sys.executable, *command.argv[1:]))).stdout))
    found = commit_log_tail.set_aside(instance, 200, transport)
    assert (found.messages, found.bytes) == (1, 100)
    (kept,) = Path(found.aside).iterdir()
    assert {path.owner() for path in (data / "abort", kept, kept.parent, kept.parent.parent)} == {NOBODY}
    assert kept.read_bytes()[:100] == message


@pytest.mark.parametrize("kind", PLANTS)
def test_a_mark_that_the_service_took_away_keeps_nobody_from_anything(
    kind: str, broker: Callable[[str], Instance], place: Path
) -> None:
    """Root's own run.sh says whose the directories are, whatever lies there."""
    instance = broker(kind)
    names = [instance.text(key) for key in ("rocketmq_data_dir", "rocketmq_log_dir")]
    script = "".join(f"'{name}'\n" for name in names)
    given: dict[str, object] = {
        "path": instance.home,
        "files": {"bin/run.sh": script, "conf/broker.p": "a=1\n"},
        "keep": 3,
    }
    assert "failed" not in run_module("rocketmq_tree", given)
    (machine,) = machines([instance])

    def seen() -> facts.Facts:
        return facts.parse(machine, run(facts.question(machine)).stdout)[instance.name]

    before = seen()
    elsewhere = {part: replace(each, place="") for part, each in before.directories.items()}
    assert list(directories.obstacles(instance, f"test/{instance.name}", elsewhere, "0")) == []
    told_of = list(directories.deviations(instance, before.directories, "0"))
    assert [text.partition(" does ")[2] for text in told_of] == ["not bear its mark"] * 2
    deploy(instance, place)
    assert list(directories.deviations(instance, seen().directories, "0")) == []


SYSTEMCTL = """#!/bin/sh
case $* in
  *MainPID*) echo MainPID=0 ;;
  *ActiveState*) echo ActiveState=failed ;;
  start*) exit 1 ;;
esac
"""


@pytest.mark.parametrize("kind", PLANTS)
def test_the_scripts_of_an_instance(kind: str, broker: Callable[[str], Instance], tmp_path: Path) -> None:
    """As rendered, but for where the units lie; systemd is played."""
    instance = broker(kind)
    edits = {"vars.rocketmq_base_dir": "/srv/rmqops-test", "vars.rocketmq_supervisor": "systemd"}
    rendered = load(edited("laptop", {**edits, "vars.rocketmq_user": NOBODY}))[0].brokers[0]
    commands = tmp_path / "bin"
    for directory in (commands, tmp_path / "units"):
        directory.mkdir()
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", "#!/bin/sh\n")):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    files = {}
    for file in trees.tree(rendered):
        text = file.content.replace("/srv/rmqops-test", str(tmp_path / "srv"))
        files[file.path] = text.replace("/etc/systemd/system", str(tmp_path / "units"))
    assert "failed" not in run_module("rocketmq_tree", {"path": instance.home, "files": files, "keep": 3})
    scripts = sorted(path for path in files if path.startswith("bin/"))
    assert {"bin/gone.sh", "bin/pid.sh", "bin/start.sh", "bin/stop.sh"} <= set(scripts)
    environment = {"PATH": f"{commands}:/usr/sbin:/usr/bin:/sbin:/bin"}
    for script in scripts:
        as_service = ["setpriv", "--reuid", NOBODY, "--clear-groups", "--regid", "nogroup", "--"]
        user: Sequence[str] = as_service if script in {"bin/run.sh", "bin/ready.sh"} else ()
        if script == "bin/ready.sh":
            continue  # the unit's, as the service; it waits as long as a start may take
        done = subprocess.run(
            [*user, f"{instance.home}/current/{script}", "0"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=SECONDS,
            check=False,
        )
        told(done.stdout, done.stderr)
        if script == "bin/start.sh":
            assert "did not start" in done.stderr, done


@pytest.mark.parametrize("kind", PLANTS)
def test_a_deploy_refuses_and_a_destroy_removes(kind: str, broker: Callable[[str], Instance], place: Path) -> None:
    instance = broker(kind)
    given: dict[str, object] = {
        "path": instance.home,
        "base": str(place),
        "owner_mark": f"test/{instance.name}",
        "data": instance.text("rocketmq_data_dir"),
        "logs": instance.text("rocketmq_log_dir"),
        "user": NOBODY,
    }
    said = run_module("rocketmq_directories", given)["msg"]
    assert ("belongs to ?" if kind == "hole" else "was not made by rmqops") in said, "its mark is gone"
    for part in NAMES:
        mark = Path(instance.home, part, ".rmqops")
        if mark.is_dir() and not mark.is_symlink():
            mark.rename(mark.with_name("odd"))
        mark.unlink(missing_ok=True)
        mark.write_text(f"test/{instance.name}\n")
    told_of = run_module("rocketmq_removal", {**given, "keep_data": False})
    assert "failed" not in told_of, told_of
    assert not Path(instance.home).exists()

"""A plan is the difference between rendered trees and facts; here the facts come from a fake transport."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from rmqops.errors import PreflightFailed
from rmqops.model.commands import Command
from rmqops.model.topology import Instance, Topology
from rmqops.operations import inventories
from rmqops.operations.hosts import directories, facts
from rmqops.operations.plan import plan, trees
from rmqops.render import files
from rmqops.transport.fake import FakeTransport

RELEASE = "rocketmq-4.5.2-0123456789abcdef"


@pytest.fixture
def topology(monkeypatch: pytest.MonkeyPatch) -> Topology:
    monkeypatch.setenv("HOME", "/home/somebody")
    return inventories.load(str(Path(__file__).parents[4] / "inventory" / "local")).topology


def block(
    topology: Topology,
    name: str,
    *,
    pid: int | None = 7,
    tree: str | None = None,
    running: str | None = None,
    on: str | None = None,
    edited: str | None = None,
    unit: str | None = None,
    override: str | None = None,
    release: str = RELEASE,
    mark: str | None = None,
) -> str:
    """Write what the script prints for one deployed instance."""
    lines = [f"instance {topology.instance(name).home}", f"release {release}"]
    tree = tree or f"/t/{files.tree_name(files.fingerprints(trees.tree(topology.instance(name))))}"
    lines += described(topology.instance(name), mark or f"{topology.cluster}/{name}")
    lines.append(f"tree {tree}")
    for file in trees.tree(topology.instance(name)):
        content = "edited" if file.path == edited else file.content
        lines.append(f"mode {755 if file.executable else 644} {file.path}")
        lines.append(f"{hashlib.sha256(content.encode()).hexdigest()}  ./{file.path}")
    if unit:
        lines.append(f"unit {hashlib.sha256(unit.encode()).hexdigest()}  -")
    if override:
        lines.append(f"override {override}")
    if pid:
        lines += [f"pid {pid}", f"running {running or tree}", f"on {on or release}"]
    return "\n".join(lines)


def described(instance: Instance, mark: str, **modes: int) -> list[str]:
    """Write what the script prints of the directories of an instance that is deployed."""
    lines = ["deployer 1000"]
    for part, key in directories.KEYS.items():
        path, mode = instance.text(key), modes.get(part, int(directories.expected(part)))
        lines += [f"place {path}", f"stat 1000 somebody {mode} {path}/.", f"marked {part} {mark}"]
    return lines


def planned(
    topology: Topology, describe: Callable[[str], str], listening: str = "", java: str = "code 0"
) -> plan.Plan:
    def answer(command: Command) -> tuple[int, str]:
        if "-XX:-UsePerfData" in command.argv[2]:
            return 0, f"{java}\n\x1eend 0\n" * 2
        if "listening" not in command.argv[2]:
            return 0, f"{command.argv[4]} pid 99 (squatter)\n"
        blocks = [describe(instance.name) for instance in topology.instances]
        return 0, "\n".join([f"listening {listening}", *blocks]) + "\n"

    fake = FakeTransport(answer)
    survey = facts.survey(topology.instances, lambda _: fake)
    return plan.plan(topology, topology.instances, survey, RELEASE, transports=lambda _: fake)


def test_nothing_to_do(topology: Topology) -> None:
    assert planned(topology, lambda name: block(topology, name)).pending == ()


def test_nothing_is_there(topology: Topology) -> None:
    found = planned(topology, lambda name: f"instance {topology.instance(name).home}\nrelease ")
    assert {change.action for change in found.changes} == {"create"}
    assert {change.missing_archives for change in found.changes} == {(RELEASE,)}


@pytest.mark.parametrize(
    ("difference", "action", "differing"),
    [
        ({"pid": None}, "start", ()),
        ({"edited": "conf/broker.p"}, "restart", ("conf/broker.p",)),
        ({"running": "/t/0"}, "restart", ()),
        ({"on": "rocketmq-4.5.2-0000000000000000"}, "restart", ()),
        ({"release": "rocketmq-4.5.2-ffffffffffffffff"}, "restart", ()),
    ],
)
def test_one_instance_differs(
    topology: Topology, difference: dict[str, str | None], action: str, differing: tuple[str, ...]
) -> None:
    found = planned(
        topology,
        lambda name: block(topology, name, **(difference if name == "broker-a-1" else {})),  # type: ignore[arg-type]
    )
    (change,) = found.pending
    assert (change.instance.name, change.action, change.files) == ("broker-a-1", action, differing)


def test_an_edited_file_is_drift_and_named(topology: Topology) -> None:
    found = planned(
        topology, lambda name: block(topology, name, edited="conf/broker.p" if name == "broker-a-1" else None)
    )
    told = {change.instance.name: change.drift for change in found.changes if change.drift}
    assert told == {"broker-a-1": ("files were edited on the host: conf/broker.p",)}


def test_a_changed_inventory_is_no_drift(topology: Topology) -> None:
    """The tree on the host has the content of its name, whatever the inventory wants now."""
    other = files.tree_name({"conf/x": ("0644", hashlib.sha256(b"x").hexdigest())})

    def describe(name: str) -> str:
        head = block(topology, name, tree=f"/t/{other}").splitlines()
        kept = [line for line in head if not line.startswith("mode ") and "  ./" not in line]
        return "\n".join([*kept, "mode 644 conf/x", f"{hashlib.sha256(b'x').hexdigest()}  ./conf/x"])

    found = planned(topology, describe)
    assert {change.action for change in found.changes} == {"restart"}
    assert not any(change.drift for change in found.changes)


def test_a_unit_under_other_hands(topology: Topology) -> None:
    def describe(name: str) -> str:
        edited = {"unit": "[Unit]\n", "override": "/etc/systemd/system/x.service.d/a.conf"}
        return block(topology, name, **(edited if name == "namesrv-1" else {}))  # type: ignore[arg-type]

    told = next(change.drift for change in planned(topology, describe).changes)
    assert told == (
        "its systemd unit was edited on the host",
        "its systemd unit is overridden by /etc/systemd/system/x.service.d/a.conf",
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("stat 1000 somebody 700 {data}/.", "{data} has mode 700, not 750"),
        ("odd somebody 700 conf", "current/conf has mode 700 and owner somebody"),
    ],
)
def test_a_directory_with_another_mode_is_mended(topology: Topology, wrong: str, says: str) -> None:
    data = topology.instance("broker-a-1").text("rocketmq_data_dir")
    line, text = wrong.format(data=data), says.format(data=data)

    def describe(name: str) -> str:
        lines = block(topology, name)
        return lines.replace("\ntree ", f"\n{line}\ntree ", 1) if name == "broker-a-1" else lines

    (change,) = planned(topology, describe).pending
    assert (change.instance.name, change.action, change.directories) == ("broker-a-1", "none", (text,))
    assert f"mends {text}" in str(change)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["place /usr/sbin", "place /x", "place /y"], "is /usr/sbin there, which belongs to the system"),
        (["place /x", "place /y", "place /z", "stat 33 www 755 {logs}/.", "holds logs a"], "holds a"),
        (["place /x", "place /y", "place /z", "obstacle data"], "is no directory"),
        (["place /x", "place /y", "place /z", "stat 0 root 755 {data}/.", "marked data ?"], "belongs to ?"),
    ],
)
def test_what_is_somebody_elses_is_refused(topology: Topology, lines: list[str], says: str) -> None:
    def describe(name: str) -> str:
        instance = topology.instance(name)
        paths = {"data": instance.text("rocketmq_data_dir"), "logs": instance.text("rocketmq_log_dir")}
        own = [line.format(**paths) for line in lines] if name == "broker-a-1" else []
        return "\n".join([f"instance {instance.home}", "release ", "deployer 1000", *own])

    with pytest.raises(PreflightFailed) as raised:
        planned(topology, describe)
    assert "broker-a-1 on 127.0.0.1: " in str(raised.value.detail)
    assert says in str(raised.value.detail)


def test_what_an_earlier_rmqops_deployed_is_ours(topology: Topology) -> None:
    def describe(name: str) -> str:
        lines = [line for line in block(topology, name).splitlines() if not line.startswith("marked data")]
        return "\n".join([*lines, "named data", "holds data commitlog"])

    found = planned(topology, describe)
    assert {text.partition(" does ")[2] for change in found.pending for text in change.directories} == {
        "not bear its mark"
    }
    assert len(found.pending) == len(topology.instances)


def test_a_foreign_directory_is_an_obstacle(topology: Topology) -> None:
    with pytest.raises(PreflightFailed) as raised:
        planned(topology, lambda name: block(topology, name, mark="other/x" if name == "namesrv-2" else None))
    assert "namesrv-2" in str(raised.value.detail)
    assert "belongs to other/x" in str(raised.value.detail)


@pytest.mark.parametrize("port", [10921, 10919, 40912])
def test_a_taken_port_is_an_obstacle_for_a_dead_instance_only(topology: Topology, port: int) -> None:
    listening = f"0100007F:{port:04X} "
    assert planned(topology, lambda name: block(topology, name), listening).pending == ()
    with pytest.raises(PreflightFailed) as raised:
        planned(topology, lambda name: block(topology, name, pid=None), listening)
    assert "broker-a-1: " in str(raised.value.detail)
    assert f"{port} on 127.0.0.1 is taken by pid 99 (squatter)" in str(raised.value.detail)


@pytest.mark.parametrize(
    ("java", "says"),
    [
        (
            "code 1\nError occurred in it\nToo many collectors",
            "Error occurred in it Too many",
        ),
        ("code 1\nPicked up JAVA_TOOL_OPTIONS: -Dx=y\nUnrecognized VM option 'X'", "Unrecognized VM option"),
        ("code 134\n", "ended with 134, without a word"),
        ("absent there is no Java at /x/bin/java: install a JRE", "/x/bin/java"),
    ],
)
def test_a_jvm_that_would_not_start_is_an_obstacle(topology: Topology, java: str, says: str) -> None:
    def changed(name: str) -> str:
        return block(topology, name, edited="jvm.options" if name == "broker-a-1" else None)

    with pytest.raises(PreflightFailed) as raised:
        planned(topology, changed, java=java)
    said = str(raised.value.detail)
    assert said.startswith("broker-a-1: no JVM starts on 127.0.0.1: ")
    assert says in said
    assert "Picked up" not in said
    assert planned(topology, lambda name: block(topology, name), java=java).pending == ()


@pytest.mark.parametrize("java", ["code 124", "code 1\nCould not reserve enough space for object heap", ""])
def test_what_was_not_found_out_is_no_obstacle(topology: Topology, java: str) -> None:
    assert planned(topology, lambda name: block(topology, name, pid=None), java=java).pending

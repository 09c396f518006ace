"""What is tried of a JVM's options, and what of them is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rmqops.model.topology import Instance
from rmqops.operations.hosts.machines import machines
from rmqops.operations.plan import jvm_start
from rmqops.transport.local import LocalTransport
from tests.unit.model.conftest import edited, load

JAVA = """#!/bin/sh
[ "$*" != -version ] || {{ echo 'openjdk version "17.0.1"' >&2; exit 0; }}
pwd > '{told}/pwd'
printf '%s\\n' "$@" > '{told}/words'
{then}
"""


def brokers(tmp_path: Path, options: Sequence[str] = (), **variables: Any) -> tuple[Instance, ...]:
    """Describe three brokers of this machine, and a Java for them."""
    edits = {
        "vars.rocketmq_base_dir": str(tmp_path / "srv"),
        "vars.rocketmq_java_home": str(tmp_path / "jdk"),
        "vars.rocketmq_jvm_options": list(options),
        **{f"vars.{name}": value for name, value in variables.items()},
    }
    return load(edited("laptop", edits))[0].brokers


def java(tmp_path: Path, then: str = "") -> None:
    """Make a Java that writes down how it was started."""
    program = tmp_path / "jdk" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(JAVA.format(told=tmp_path, then=then))
    program.chmod(0o755)


def tried(instances: Sequence[Instance]) -> tuple[jvm_start.Start, ...]:
    return jvm_start.tried(instances, lambda _instance: LocalTransport())


def test_the_words_are_those_of_the_start_and_nothing_is_disturbed(tmp_path: Path) -> None:
    java(tmp_path)
    agent = tmp_path / "agent.jar"
    agent.write_bytes(b"")
    options = ["-Xss1m", "8:-Xint", "17:-Da=b c", "-XX:+AlwaysPreTouch", f"-javaagent:{agent}=9000:x"]
    options += [
        "-Dcom.sun.management.jmxremote.port=9010",
        "-Xlog:safepoint:file={{ rocketmq_log_dir }}/s.log:time",
    ]
    (start,) = tried(brokers(tmp_path, options))
    assert (start.trouble, [one.name for one in start.instances]) == ("", ["a0", "a1", "a2"])
    words = (tmp_path / "words").read_text().splitlines()
    assert words[:3] == ["-server", "-Xms128m", "-Xmx128m"]
    assert words[-3:] == ["-Xlog:safepoint:file=./gc.log:time", "-XX:-UsePerfData", "-version"]
    assert words[-5:-3] == ["-Xss1m", "-Da=b c"]
    assert not any(str(tmp_path) in word for word in words)
    assert not Path((tmp_path / "pwd").read_text().strip()).exists()
    assert not (tmp_path / "srv").exists()


@pytest.mark.parametrize(
    ("then", "says", "inconclusive"),
    [
        (
            "echo 'Unrecognized X'; echo 'Error: Could not create the Java Virtual Machine.'",
            "Unrecognized X",
            False,
        ),
        ("echo 'Could not reserve enough space for object heap'", "enough space", True),
        (":", "ended with 1, without a word", False),
    ],
)
def test_what_keeps_it_from_starting(tmp_path: Path, then: str, says: str, inconclusive: bool) -> None:
    java(tmp_path, f"{then}; exit 1")
    (start,) = tried(brokers(tmp_path))
    assert says in start.trouble
    assert "Could not create" not in start.trouble
    assert start.inconclusive is inconclusive


def test_one_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jvm_start, "_TRY", jvm_start._TRY.replace(f"-k 1 {jvm_start.SECONDS}", "-k 1 1"))
    java(tmp_path, "exec sleep 60")
    (start,) = tried(brokers(tmp_path))
    assert "took longer than" in start.trouble
    assert start.inconclusive


def test_no_java_is_said_with_the_path_that_was_tried(tmp_path: Path) -> None:
    (start,) = tried(brokers(tmp_path))
    assert start.absent
    assert f"{tmp_path}/jdk/bin/java" in start.trouble


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("-javaagent:/nowhere/agent.jar=1", "/nowhere/agent.jar cannot be read"),
        ("-agentpath:/nowhere/agent.so", "/nowhere/agent.so cannot be read"),
        ("-Xlog:gc:file=/nowhere/gc.log", "/nowhere/ cannot be written"),
        ("-Xloggc:/nowhere/gc.log", "/nowhere/ cannot be written"),
    ],
)
def test_files_of_what_is_left_out_are_looked_at(tmp_path: Path, option: str, says: str) -> None:
    java(tmp_path)
    (start,) = tried(brokers(tmp_path, [option]))
    assert says in start.trouble


def test_options_of_ones_own_are_tried_by_themselves(tmp_path: Path) -> None:
    java(tmp_path)
    edits = {"vars.rocketmq_java_home": str(tmp_path / "jdk"), "alpha.hosts.a1.rocketmq_heap": "64m"}
    (machine,) = machines(load(edited("laptop", edits))[0].brokers)
    named = [[one.name for one in question.instances] for question in jvm_start.questions(machine.instances)]
    assert named == [["a0", "a2"], ["a1"]]


def test_a_unit_is_tried_as_its_user_and_without_the_environment_of_a_login() -> None:
    instances = load(edited("fleet", {}))[0].nameservers
    (question, *_) = jvm_start.questions(instances[:1])
    script = question.command.script
    assert script is not None
    assert script.arguments[0] == "rocketmq"
    assert "setpriv --reuid" in script.text
    assert "env -i" in script.text

"""The rendered files, instance by instance."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from rmqops.errors import OperationFailed
from rmqops.model import jvm_options
from rmqops.model.topology import Instance, Value
from rmqops.model.variables import HostVariables
from rmqops.operations import inventories
from rmqops.operations.plan import trees
from rmqops.render import files
from tests.support.modules import role_module

INVENTORIES = Path(__file__).parents[2] / "inventory"
SHIPPED = ["local", "prod", "quickstart"]


@cache
def instances(name: str) -> tuple[Instance, ...]:
    return inventories.load(str(INVENTORIES / name)).topology.instances


def content(instance: Instance, path: str) -> str:
    return next(file.content for file in trees.tree(instance) if file.path == path)


def settings(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def test_the_quick_start_has_two_lines() -> None:
    (broker,) = [item for item in instances("quickstart") if item.kind == "broker"]
    assert list(settings(content(broker, "conf/broker.p"))) == ["brokerIP1", "autoCreateTopicEnable"]
    assert len(content(broker, "conf/broker.p").splitlines()) == 2
    assert "-Xms128m\n-Xmx128m\n-Xmn128m\n" in content(broker, "jvm.options")
    assert "-Dfile.encoding=UTF-8\n" in content(broker, "jvm.options"), "also where it is started in the C locale"


def test_a_dledger_member_registers_as_the_follower_it_will_be() -> None:
    for number, broker in enumerate(item for item in instances("local") if item.kind == "broker"):
        found = settings(content(broker, "conf/broker.p"))
        assert found["brokerRole"] == "SLAVE"
        assert found["brokerId"] == str(number + 1)
        assert found["dLegerSelfId"] == f"n{number}"
        assert found["dLegerPeers"] == "n0-127.0.0.1:40911;n1-127.0.0.1:40912;n2-127.0.0.1:40913"
        assert found["namesrvAddr"] == "127.0.0.1:9876;127.0.0.1:9877;127.0.0.1:9878"
        assert found["mappedFileSizeCommitLog"] == "67108864"


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_is_shared_between_instances(name: str) -> None:
    own = ["rocketmq_log_dir", "rocketmq_instance_dir"]
    for key in own:
        values = [(item.host, item.text(key)) for item in instances(name)]
        assert len(set(values)) == len(values)
    for item in instances(name):
        home = item.home if name == "quickstart" and item.kind == "broker" else item.text("rocketmq_data_dir")
        assert f"-Duser.home={home}\n" in content(item, "jvm.options")
        logs = re.findall(r"<file>(.*)/[a-z_]+\.log</file>", content(item, f"conf/logback_{item.kind}.xml"))
        assert logs
        assert set(logs) == {item.text("rocketmq_log_dir")}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_scripts_are_sound(name: str, tmp_path: Path) -> None:
    """Held to shellcheck, which ``make setup`` installs."""
    assert shutil.which("shellcheck"), "install shellcheck: make setup"
    for item in instances(name):
        scripts = {tmp_path / item.name / file.path: file for file in trees.tree(item) if file.executable}
        for script, file in scripts.items():
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(file.content)
        done = subprocess.run(["shellcheck", "-x", *scripts], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SHIPPED)
def test_the_role_names_a_tree_as_the_renderer_does(name: str) -> None:
    module = role_module("rocketmq_tree")
    for item in instances(name):
        tree = trees.tree(item)
        texts = {file.path: file.content for file in tree}
        assert module.digest_of(texts) == files.tree_name(files.fingerprints(tree))


@pytest.mark.parametrize(
    ("major", "expected", "unexpected"),
    [
        (8, "-XX:+PrintGCDateStamps", "--add-opens=java.base/java.nio=ALL-UNNAMED"),
        (17, "--add-opens=java.base/java.nio=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"),
        (25, "--sun-misc-unsafe-memory-access=allow", "-XX:+PrintGCDateStamps"),
    ],
)
def test_options_fit_the_jvm(major: int, expected: str, unexpected: str, tmp_path: Path) -> None:
    """The start script is run with a ``java`` that prints what it was given."""
    broker = next(item for item in instances("local") if item.kind == "broker")
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    (tmp_path / "jdk" / "release").write_text(f'JAVA_VERSION="{"1.8.0_402" if major == 8 else f"{major}.0.1"}"\n')
    java.write_text('#!/bin/sh\necho "$LANG ${LC_ALL:-of itself}"\nprintf "%s\\n" "$@"\n')
    java.chmod(0o755)
    base = broker.text("rocketmq_base_dir")
    (tmp_path / "srv" / "releases" / "rocketmq-4.5.2" / "lib").mkdir(parents=True)
    for file in trees.tree(broker):
        target = tmp_path / "tree" / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.content.replace(base, str(tmp_path / "srv")))
        target.chmod(0o755)
    done = subprocess.run(
        [str(tmp_path / "tree" / "bin" / "run.sh")],
        env={"JAVA_HOME": str(tmp_path / "jdk"), "PATH": "/usr/bin:/bin", "LANG": "de_DE.UTF-8", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    locale, *options = done.stdout.splitlines()
    assert locale == "de_DE.UTF-8 of itself", "the host's, not that of rmqops' commands"
    assert expected in options
    assert unexpected not in options
    assert options[-4:-2] == ["-c", str(tmp_path / "tree" / "conf" / "broker.p")]


def jvm_words(options: Sequence[str], major: int) -> list[str]:
    """Return what ``java.sh`` makes of the options of an inventory for a Java."""
    broker = next(item for item in instances("local") if item.kind == "broker")
    wanted: list[Value] = [*options]
    overlaid = cast("HostVariables", broker.variables).overlaid({"rocketmq_jvm_options": wanted})
    text = trees.file(replace(broker, variables=overlaid), "jvm.options")
    parsed = [jvm_options.parse(line) for line in text.splitlines() if line and not line.startswith("#")]
    assert all(parsed), text
    return [option.word for option in parsed if option and option.oldest <= major <= option.newest]


CHOICES = st.builds(
    lambda prefix, name: f"{prefix}-XX:+Use{name}GC",
    st.sampled_from(["", "8:", "11:", "17:", "8-:", "9-:", "21-:"]),
    st.sampled_from(jvm_options.COLLECTORS),
)


@given(st.lists(CHOICES, max_size=4), st.integers(8, 30))
@example(["8:-XX:+UseConcMarkSweepGC", "9-:-XX:+UseZGC"], 8)
@example(["17:-XX:+UseZGC"], 11)
@example(["-XX:+UseParallelGC"], 8)
def test_every_java_is_given_one_collector(chosen: list[str], major: int) -> None:
    """The operator's own takes the place of ours, and of its setting, for the Java that it is for alone."""
    options = [option for option in map(jvm_options.parse, chosen) if option]
    assume(not any(one.conflicts(two) for one in options for two in options))
    words = jvm_words(chosen, major)
    own = {option.word for option in options if option.oldest <= major <= option.newest}
    ours = not any(word for word in own if word != "-XX:+UseG1GC")
    assert {word for word in words if word.startswith("-XX:+Use") and word.endswith("GC")} == (
        {"-XX:+UseG1GC"} if ours else own
    )
    assert ("-XX:InitiatingHeapOccupancyPercent=30" in words) is ours


def test_without_a_choice_the_lines_are_for_every_java() -> None:
    assert "-XX:+UseG1GC" in jvm_words([], 8)
    assert jvm_words([], 9) == jvm_words([], 23)


def test_a_template_that_asks_too_much_is_named() -> None:
    with pytest.raises(OperationFailed, match=r"templates/broker/x\.j2 for broker-a-0.*nowhere"):
        files.instance_files(instances("local")[3], {"broker/x.j2": "{{ nowhere }}"})

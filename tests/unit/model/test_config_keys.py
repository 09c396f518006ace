"""The keys of RocketMQ's configuration: the data, the judgement of values, and the script that draws them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from rmqops.model.config_keys import ConfigKey, JavaType
from rmqops.model.releases import RELEASES
from rmqops.operations import inventories
from scripts import draw_config_keys

KEYS = inventories.reference().config_keys


def test_every_release_is_there() -> None:
    assert set(KEYS) == set(RELEASES)


@pytest.mark.parametrize(
    ("version", "kind", "name", "known"),
    [
        ("4.4.0", "broker", "enableDLegerCommitLog", False),
        ("4.5.0", "broker", "enableDLegerCommitLog", True),
        ("4.5.1", "broker", "mapedFileSizeCommitLog", True),
        ("4.5.2", "broker", "mapedFileSizeCommitLog", False),
        ("4.5.2", "broker", "mappedFileSizeCommitLog", True),
        ("4.5.2", "broker", "rmqAddressServerDomain", True),
        ("4.5.2", "broker", "serverWorkerThreads", True),
        ("4.5.2", "broker", "kvConfigPath", False),
        ("4.5.2", "namesrv", "kvConfigPath", True),
        ("4.5.2", "namesrv", "serverWorkerThreads", True),
        ("4.5.2", "namesrv", "clientWorkerThreads", False),
    ],
)
def test_known_keys(version: str, kind: str, name: str, known: bool) -> None:
    assert (name in KEYS[version][kind]) is known  # type: ignore[index]


def test_types_defaults_and_choices() -> None:
    broker = KEYS["4.5.2"]["broker"]
    assert broker["flushDiskType"] == ConfigKey(
        "flushDiskType", "String", "ASYNC_FLUSH", ("SYNC_FLUSH", "ASYNC_FLUSH")
    )
    assert broker["mappedFileSizeCommitLog"] == ConfigKey("mappedFileSizeCommitLog", "int", "1073741824")
    assert broker["consumerFallbehindThreshold"].type == "long"
    assert broker["deleteWhen"].default == "04"
    assert broker["brokerIP1"].default is None


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        ("int", 2**31 - 1, True),
        ("int", -(2**31), True),
        ("int", 2**31, False),
        ("int", "17", True),
        ("int", "1_7", False),
        ("int", "٣", False),
        ("int", "", False),
        ("int", 1.0, False),
        ("int", True, False),
        ("int", "9" * 5000, False),
        ("long", 2**63 - 1, True),
        ("long", 2**63, False),
        ("boolean", True, True),
        ("boolean", "TRUE", True),
        ("boolean", "on", False),
        ("double", "0.5", True),
        ("double", "half", False),
        ("String", "1s 5s", True),
        ("String", 4, True),
        ("String", " x", False),
        ("String", "a\\b", False),
        ("String", {"a": 1}, False),
    ],
)
def test_values(kind: JavaType, value: object, good: bool) -> None:
    assert (ConfigKey("k", kind).fault(value) is None) is good  # type: ignore[arg-type]


POM = "<project><artifactId>rocketmq-all</artifactId>\n<version>9.9.9</version></project>"
CONFIG = """
package x;
public class %s {
    /* private int commented = 1; public void setCommented(int x) {} */
    private int size = 1024 * 1024; // setGhost(int x)
    private long span = 24 * 3600L * 1000;
    private String url = "http://x//y";
    private String computed = System.getProperty("a");
    private boolean plain;
    private Mode mode = Mode.SLOW;
    private Thread thread;
    public void setSize(final int size) { this.size = size; }
    public void setSpan(long span) { this.span = span; }
    public void setUrl(String url) { this.url = url; }
    public void setComputed(String c) { this.computed = c; }
    public void setPlain(boolean b) { plain = b; }
    public void setMode(Mode mode) { this.mode = mode; }
    public void setMode(String mode) { this.mode = Mode.valueOf(mode); }
    public void setThread(Thread t) { this.thread = t; }
    public void setdLegerGroup(String g) { }
    private void setHidden(int x) { }
}
"""
STARTUP = 'class B { void f() { properties.getProperty("direct", D); System.getProperty("no"); } }'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "rocketmq-all-9.9.9"
    for name, path in draw_config_keys.CLASSES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(CONFIG % name)
        (root / path).with_name("Mode.java").write_text(
            "/** enum Doc { X } */ public enum Mode {\n  FAST,\n  SLOW\n}\n"
        )
    (root / draw_config_keys.STARTUP).parent.mkdir(parents=True)
    (root / draw_config_keys.STARTUP).write_text(STARTUP)
    (root / "pom.xml").write_text(POM)
    return root


def test_the_script_reads_setters(tree: Path) -> None:
    drawn = json.loads(draw_config_keys.draw([tree]))
    assert drawn["9.9.9"]["BrokerConfig"] == {
        "computed": {"type": "String"},
        "dLegerGroup": {"type": "String"},
        "mode": {"type": "String", "choices": ["FAST", "SLOW"], "default": "SLOW"},
        "plain": {"type": "boolean", "default": "false"},
        "size": {"type": "int", "default": "1048576"},
        "span": {"type": "long", "default": "86400000"},
        "url": {"type": "String", "default": "http://x//y"},
    }
    assert drawn["9.9.9"]["BrokerStartup"] == {"direct": {"type": "String"}}


def test_a_zip_and_its_directory_are_drawn_alike(tree: Path, tmp_path: Path) -> None:
    packed = tmp_path / "source.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(tree.rglob("*.*")):
            archive.write(file, file.relative_to(tmp_path))
    assert draw_config_keys.draw([packed]) == draw_config_keys.draw([tree])


def test_the_script_refuses_what_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text("<project/>")
    with pytest.raises(SystemExit, match="is this a RocketMQ source tree"):
        draw_config_keys.draw([tmp_path])

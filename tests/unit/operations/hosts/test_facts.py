"""The read-only script is run for real on this machine; the rest is parsing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rmqops.model.topology import Instance
from rmqops.operations.hosts import facts


def instance(home: Path, name: str = "broker-a-0") -> Instance:
    return Instance(
        name=name,
        kind="broker",
        group="broker-a",
        host="127.0.0.1",
        connection="local",
        variables={
            "rocketmq_instance_dir": str(home),
            "rocketmq_base_dir": str(home.parent),
            "rocketmq_version": "4.5.2",
            "rocketmq_supervisor": "detached",
            "rocketmq_java": "system",
            "rocketmq_log_dir": str(home / "logs"),
            "rocketmq_data_dir": str(home / "data"),
        },
    )


def test_nothing_there(tmp_path: Path) -> None:
    found = facts.gather([instance(tmp_path / "absent")])
    there = found["broker-a-0"]
    bare = facts.Facts(listening=there.listening, deployer=str(os.getuid()), directories=there.directories)
    assert there == bare
    assert {one.mode for one in there.directories.values()} == {""}


def test_a_tree_is_read_with_modes_and_digests(tmp_path: Path) -> None:
    home = tmp_path / "with space"
    tree = home / "trees" / "0123"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "a.sh").write_text("exit 1\n")
    (tree / "bin" / "a.sh").chmod(0o755)
    (tree / "b").write_text("")
    (tree / "b").chmod(0o644)
    (tree / "conf").mkdir()
    (tree / "conf" / "broker.p").write_text("# a comment=1\nbrokerName=a\nnamesrvAddr=x:1;y:2\n")
    (home / "current").symlink_to("trees/0123")
    (home / ".rmqops").write_text("c/broker-a-0\n")
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "rocketmq-4.5.2").symlink_to("rocketmq-4.5.2-aa")
    found = facts.gather([instance(home), instance(tmp_path / "none", "n")])["broker-a-0"]
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert found.mark == "c/broker-a-0"
    assert found.release == "rocketmq-4.5.2-aa"
    assert found.tree == str(tree)
    assert found.files["b"] == ("0644", empty)
    assert found.files["bin/a.sh"][0] == "0755"
    assert found.settings == {"brokerName": "a", "namesrvAddr": "x:1;y:2"}
    assert not found.alive


@pytest.mark.parametrize("written", ["right", "stale", "absent"])
def test_a_process_is_known_by_its_own_words(tmp_path: Path, written: str) -> None:
    home = tmp_path / "with space"
    tree = home / "trees" / "0123"
    (tree / "bin").mkdir(parents=True)
    (home / "current").symlink_to("trees/0123")
    (home / "run").mkdir()
    words = [
        f"-Drmqops.instance={home}",
        "-cp",
        f"{tree}/conf:{tmp_path}/releases/rocketmq-4.5.2-aa/lib/*",
        "-c",
        f"{tree}/conf/broker.p",
    ]
    process = subprocess.Popen([sys.executable, "-c", "input()", *words], stdin=subprocess.PIPE)
    try:
        script = tree / "bin" / "pid.sh"
        script.write_text(f"#!/bin/sh\necho {process.pid}\n")
        script.chmod(0o755)
        if written != "absent":
            (home / "run" / "pid").write_text(f"{process.pid if written == 'right' else os.getpid()}\n")
        if written == "right":
            script.unlink()
        found = facts.gather([instance(home)])["broker-a-0"]
        assert (found.pid, found.running, found.on) == (process.pid, str(tree), "rocketmq-4.5.2-aa")
    finally:
        process.communicate(b"\n")


def test_the_owner_of_a_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        here = instance(tmp_path)
        assert port in facts.gather([here])["broker-a-0"].listening
        program = Path("/proc/self/cmdline").read_bytes().partition(b"\0")[0].decode()
        assert facts.port_owner(here, port).startswith(f"pid {os.getpid()} ({program} ")

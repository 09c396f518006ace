"""Options of a JVM, tried with the Java of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.model.conftest import edited

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def plan(directory: Path, option: str) -> subprocess.CompletedProcess[str]:
    """Plan a cluster of this machine that is not there, with an option for every JVM."""
    inventory = directory / "hosts.yml"
    edits = {"vars.rocketmq_base_dir": str(directory / "srv"), "vars.rocketmq_jvm_options": [option]}
    inventory.write_text(edited("laptop", edits))
    argv = [sys.executable, "-m", "rmqops", "plan", "-i", str(inventory), "--json"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "option", ["-XX:+UseSerialGC", "-XX:+UseParallelGC", "-XX:+UseG1GC", "8:-XX:+UseParNewGC"]
)
def test_a_collector_of_ones_own_starts(tmp_path: Path, option: str) -> None:
    done = plan(tmp_path, option)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert not (tmp_path / "srv").exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("-XX:+UseNoSuchThing", "Unrecognized VM option 'UseNoSuchThing'"),
        ("-Xss1k", "stack size specified is too small"),
    ],
)
def test_what_no_jvm_starts_with_is_refused_in_its_own_words(tmp_path: Path, option: str, said: str) -> None:
    done = plan(tmp_path, option)
    assert done.returncode == 4
    assert said in done.stderr
    assert "a0" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "srv").exists()

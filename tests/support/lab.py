"""Labs for tests: real hosts, under names of the test session's own, removed whatever happens.

The fixture ``lab`` is every test's: ``tests/conftest.py`` imports it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.lab import hosts
from tests.support.clusters import HEARTBEAT, Done, must, rmqops

UP_SECONDS = 900
"""The image may have to be made first."""


@dataclass(frozen=True)
class LabUp:
    """A lab that is up, and the directory that its inventory was written in."""

    name: str
    directory: Path

    @property
    def inventory(self) -> Path:
        """The inventory that ``lab up`` wrote."""
        return self.directory / "inventory" / self.name / "hosts.yml"

    @property
    def lab(self) -> hosts.Lab:
        """The hosts: reboot, stop, start, freeze."""
        return hosts.attach(self.name)

    @property
    def status(self) -> dict[str, Any]:
        """What ``rmqops lab status --json`` says."""
        done = rmqops("lab", "status", "--json", "--name", self.name, timeout=120)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def rmqops(self, *arguments: str, **options: object) -> Done:
        """Run a command of rmqops in the lab's directory."""
        return rmqops(*arguments, cwd=self.directory, **options)  # type: ignore[arg-type]

    def must(self, *arguments: str, **options: object) -> Done:
        """Run a command of rmqops in the lab's directory and insist on exit code 0."""
        return must(*arguments, cwd=self.directory, **options)

    def on(self, host: str, *command: str, timeout: float = 60) -> Done:
        """Run a command on a host, given by number, name or instance, as the user who logs in."""
        lab = self.lab
        argv = lab.access.ssh(lab.find(host), *command)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def root(self, host: str, script: str, *arguments: str, timeout: float = 60) -> str:
        """Run a shell script on a host as root, insist on exit code 0, and return what it printed."""
        done = self.on(host, "sudo", "sh", "-c", script, "sh", *arguments, timeout=timeout)
        assert done.code == 0, done
        return done.stdout

    def inventory_in(self, directory: Path) -> Path:
        """Return a copy of the inventory, for a test to edit; a start may take its time on a loaded machine."""
        copy = directory / "hosts.yml"
        document = yaml.safe_load(self.inventory.read_text())
        document["all"]["vars"]["rocketmq_start_timeout"] = 240
        document["all"]["children"]["brokers"]["vars"]["rocketmq_config"]["registerNameServerPeriod"] = HEARTBEAT
        copy.write_text(yaml.safe_dump(document, sort_keys=False))
        return copy


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LabUp]]:
    """Bring labs up: ``lab(hosts=6)``, ``lab(hosts=3, sudo_password=True)``; one that is up already is shared."""
    made: dict[tuple[object, ...], LabUp] = {}

    def up(hosts: int = 3, **options: object) -> LabUp:
        wanted = (hosts, *sorted(options.items()))
        if wanted not in made:
            name = f"t{os.getpid()}-{len(made)}"
            made[wanted] = LabUp(name, tmp_path_factory.mktemp("lab"))
            made[wanted].must("lab", "up", "--name", name, *arguments(hosts, options), timeout=UP_SECONDS)
        return made[wanted]

    try:
        yield up
    finally:
        gone = [each.rmqops("lab", "down", "--name", each.name, timeout=300) for each in made.values()]
        assert all(done.code == 0 for done in gone), [str(done) for done in gone]


def arguments(hosts: int, options: dict[str, Any]) -> list[str]:
    """Return options of ``lab up`` as a command line."""
    argv = ["--hosts", str(hosts)]
    for option, value in options.items():
        argv.append(f"--{option.replace('_', '-')}")
        if value is not True:
            argv.append(str(value))
    return argv

"""Labs for tests: real hosts, under names of the worker's own, shared by a lane, removed whatever happens.

The fixtures are every test's: ``tests/conftest.py`` imports them.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.lab import hosts
from tests.support.clusters import HEARTBEAT, JVM_OPTIONS, Cluster, Done, must, rmqops
from tests.support.shared import Shared, well

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
        document["all"]["vars"] |= {"rocketmq_start_timeout": 240, "rocketmq_jvm_options": [*JVM_OPTIONS]}
        document["all"]["children"]["brokers"]["vars"]["rocketmq_config"]["registerNameServerPeriod"] = HEARTBEAT
        copy.write_text(yaml.safe_dump(document, sort_keys=False))
        return copy


class Labs:
    """The labs of a lane, by their options, and the clusters that are deployed on them."""

    def __init__(self, shared: Shared, directories: Callable[[str], Path], lock: Path) -> None:
        self._shared = shared
        self._directories = directories
        self._lock = lock
        self._up: dict[tuple[object, ...], LabUp] = {}
        self._clusters: dict[str, Cluster] = {}
        self._count = 0

    def bare(self, hosts: int = 3, **options: object) -> LabUp:
        """Return a lab on which no shared cluster is deployed; one that is up already is shared."""
        up = self._bring_up(hosts, options)
        if (cluster := self._clusters.pop(up.name, None)) is not None:
            cluster.must("destroy", "--data", "--confirm", up.name)
        return up

    def deployed(self, hosts: int = 3, **options: object) -> tuple[LabUp, Cluster]:
        """Return a lab and a healthy cluster on it; both made anew where a test broke the cluster."""
        up = self._bring_up(hosts, options)
        if up.name in self._clusters and not well(self._clusters[up.name]):
            self.remove(up)
            up = self._bring_up(hosts, options)
        if up.name not in self._clusters:
            cluster = Cluster(up.inventory_in(self._directories("inventory")), Path("/opt/rocketmq"))
            self._clusters[up.name] = cluster
            cluster.must("deploy", "--yes")
        return up, self._clusters[up.name]

    def _bring_up(self, hosts: int, options: Mapping[str, object]) -> LabUp:
        key = (hosts, *sorted(options.items()))
        if key not in self._up:
            up = LabUp(f"t{os.getpid()}-{self._count}", self._directories("lab"))
            self._count += 1
            self._shared.at_end(lambda: self.remove(up))
            with self._lock.open("w") as held:  # what the kernel must allow depends on how many hosts there are
                fcntl.flock(held, fcntl.LOCK_EX)
                up.must("lab", "up", "--name", up.name, *arguments(hosts, options), timeout=UP_SECONDS)
            self._up[key] = up
        return self._up[key]

    def remove(self, up: LabUp) -> None:
        """Take a lab down, and the cluster on it; does no harm where it is down already."""
        self._clusters.pop(up.name, None)
        self._up = {key: other for key, other in self._up.items() if other is not up}
        up.must("lab", "down", "--name", up.name, timeout=300)


@pytest.fixture(scope="session")
def labs(shared: Shared, common: Path, tmp_path_factory: pytest.TempPathFactory) -> Labs:
    """Labs, and clusters on them, that a lane shares."""
    return Labs(shared, tmp_path_factory.mktemp, common / "lab-up.lock")


@pytest.fixture(scope="session")
def lab(labs: Labs) -> Callable[..., LabUp]:
    """Bring labs up: ``lab(hosts=6)``, ``lab(hosts=3, sudo_password=True)``, with nothing deployed on them."""
    return labs.bare


@pytest.fixture(scope="session")
def deployed_lab(labs: Labs) -> Callable[..., tuple[LabUp, Cluster]]:
    """Bring labs up with a healthy cluster on them: ``deployed_lab(hosts=6)``."""
    return labs.deployed


def arguments(hosts: int, options: Mapping[str, object]) -> list[str]:
    """Return options of ``lab up`` as a command line."""
    argv = ["--hosts", str(hosts)]
    for option, value in options.items():
        argv.append(f"--{option.replace('_', '-')}")
        if value is not True:
            argv.append(str(value))
    return argv

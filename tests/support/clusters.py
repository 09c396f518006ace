"""Throw-away clusters: command lines, ports and inventories for tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from rmqops.model.releases import DEFAULT_VERSION, RELEASES
from rmqops.model.topology import Topology
from rmqops.operations import inventories
from tests.support.waiting import until

PORTS = range(23000, 32000, 100)
"""A cluster takes a hundred ports; below the kernel's range for outgoing connections."""

HEARTBEAT = 10_000
"""Milliseconds between a broker's registrations: the least that RocketMQ takes and not its default of 30,000, for
after every election and every start of a NameServer a test waits for the next one."""

WITHOUT_DLEDGER = next(release.version for release in RELEASES.values() if "dledger" not in release.modes)
"""A release whose masters nobody elects."""
JVM_OPTIONS = ("-XX:TieredStopAtLevel=1",)
"""Of every throw-away instance: without the second compiler, its start takes a third to a half less work."""


@dataclass(frozen=True)
class Done:
    """What a command line printed and ended with."""

    code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def rmqops(
    *arguments: str, cwd: Path | None = None, timeout: float = 600, stdin: str = "", **environment: str
) -> Done:
    """Run the command line as a user would, as a process."""
    done = subprocess.run(
        [sys.executable, "-m", "rmqops", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        input=stdin,
        cwd=cwd,
        env={**os.environ, **environment},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def must(*arguments: str, **options: object) -> Done:
    """Run the command line and insist on exit code 0."""
    done = rmqops(*arguments, **options)  # type: ignore[arg-type]
    assert done.code == 0, f"rmqops {' '.join(arguments)}: {done}"
    return done


def own_ports() -> Sequence[int]:
    """Return the worker's share of the ports: between the look whether they are free and the start of a cluster
    there is time for another worker to take them."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return PORTS[worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]


def free_port_base() -> int:
    """Return the first of a hundred ports of which the ones a cluster uses are free."""
    ports = own_ports()
    start = os.getpid() % len(ports)
    for base in chain(ports[start:], ports[:start]):
        if all(_free(base + offset) for offset in (*range(3), *range(8, 52), *range(60, 63))):
            return base
    raise AssertionError("no free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Cluster:
    """An inventory of a throw-away cluster."""

    inventory: Path
    base: Path

    @property
    def topology(self) -> Topology:
        """What the inventory describes."""
        return inventories.load(str(self.inventory)).topology

    def rmqops(self, *arguments: str, **options: object) -> Done:
        """Run a command against this cluster."""
        return rmqops(*arguments, "--inventory", str(self.inventory), **options)  # type: ignore[arg-type]

    def must(self, *arguments: str, **options: object) -> Done:
        """Run a command against this cluster and insist on exit code 0."""
        return must(*arguments, "--inventory", str(self.inventory), **options)

    def playbook(self, name: str, *options: str) -> Done:
        """Run a playbook of the checkout by Ansible alone, as its ansible.cfg says."""
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.inventory), *options, f"playbooks/{name}.yml"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def begin(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.Popen[str]:
        """Start a command against this cluster, to be watched or struck in the middle."""
        process = subprocess.Popen(
            [sys.executable, "-m", "rmqops", *arguments, "--inventory", str(self.inventory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.close()
        return process

    def script(self, instance: str, name: str) -> Done:
        """Run one of an instance's own scripts."""
        path = self.base / "instances" / instance / "current" / "bin" / name
        done = subprocess.run([str(path)], capture_output=True, text=True, timeout=90, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def pid(self, instance: str) -> int | None:
        """Return the process of an instance."""
        done = self.script(instance, "pid.sh")
        return int(done.stdout) if done.code == 0 else None

    def send_signal(self, instance: str, number: signal.Signals) -> None:
        """Send a signal to the process of an instance, which runs."""
        pid = self.pid(instance)
        assert pid is not None, f"{instance} does not run"
        os.kill(pid, number)

    def kill(self, instance: str) -> None:
        """Kill an instance, and wait until it is dead."""
        self.send_signal(instance, signal.SIGKILL)
        until(lambda: self.pid(instance) is None, f"{instance} is dead", 10)

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the inventory."""
        document = yaml.safe_load(self.inventory.read_text())
        change(document)
        self.inventory.write_text(yaml.safe_dump(document, sort_keys=False))

    def discard(self) -> None:
        """Remove the cluster with its data; its processes are killed, which is quicker than an orderly end."""
        for instance in self.topology.instances:
            home = self.base / "instances" / instance.name
            if (home / "current").exists() and (pid := self.pid(instance.name)) is not None:
                os.kill(pid, signal.SIGKILL)
        self.must("destroy", "--data", "--confirm", self.topology.cluster)
        assert not self.base.exists(), f"destroy left {sorted(map(str, self.base.rglob('*')))[:20]}"


def dledger_inventory(
    base: Path, port: int, version: str = DEFAULT_VERSION, heartbeat: int = HEARTBEAT
) -> dict[str, Any]:
    """Describe three NameServers and a DLedger group of three on this machine."""
    brokers = {
        f"broker-a-{number}": {
            "rocketmq_dledger_id": f"n{number}",
            "rocketmq_listen_port": port + 10 + 10 * number,
            "rocketmq_dledger_port": port + 60 + number,
        }
        for number in range(3)
    }
    release = RELEASES[version]
    return {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_host": "127.0.0.1",
                "ansible_python_interpreter": sys.executable,
                "rocketmq_cluster": f"test-{port}",
                "rocketmq_version": version,
                "rocketmq_supervisor": "detached",
                "rocketmq_drillable": True,
                "rocketmq_base_dir": str(base),
                "rocketmq_jvm_options": [*JVM_OPTIONS],
            },
            "children": {
                "namesrv": {
                    "vars": {"rocketmq_heap": "128m"},
                    "hosts": {f"namesrv-{n}": {"rocketmq_listen_port": port + n - 1} for n in (1, 2, 3)},
                },
                "brokers": {
                    "vars": {
                        "rocketmq_heap": "384m",
                        "rocketmq_direct_memory": "384m",
                        "rocketmq_config": {
                            "registerNameServerPeriod": heartbeat,
                            release.commit_log_size_key: 67108864,
                            release.queue_size_key: 600000,
                        },
                    },
                    "children": {"broker-a": {"hosts": brokers}},
                },
            },
        }
    }


def classic_inventory(base: Path, port: int, version: str = WITHOUT_DLEDGER) -> dict[str, Any]:
    """Describe two NameServers and two groups of master and slave on this machine, the second one synchronous."""
    found = dledger_inventory(base, port, version)
    children = found["all"]["children"]
    del children["namesrv"]["hosts"]["namesrv-3"]
    children["brokers"]["vars"] |= {"rocketmq_mode": "master-slave", "rocketmq_heap": "256m"}
    roles = ("ASYNC_MASTER", "SYNC_MASTER")
    children["brokers"]["children"] = {
        f"broker-{name}": {
            "hosts": {
                f"broker-{name}-0": {"rocketmq_broker_role": role, "rocketmq_listen_port": port + 10 + 20 * place},
                f"broker-{name}-1": {"rocketmq_broker_id": 1, "rocketmq_listen_port": port + 20 + 20 * place},
            }
        }
        for place, (name, role) in enumerate(zip("ab", roles, strict=True))
    }
    return found

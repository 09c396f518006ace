"""The hosts of a lab that is up: what they are, what runs on them, and their power switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from rmqops.errors import OperationFailed
from rmqops.lab import engine, layout, login, state
from rmqops.lab.engine import Engine
from rmqops.lab.layout import Access, LabRequest
from rmqops.lab.local_runner import LocalRunner
from rmqops.system.parallel import each

STOP_SECONDS: Final = 90
"""For an orderly shutdown: a broker flushes its store."""
BOOT_SECONDS: Final = 120.0


@dataclass(frozen=True)
class HostStatus:
    """One host as it is now."""

    name: str
    address: str
    running: bool
    system: str
    """What ``systemctl is-system-running`` says; empty when the host does not run."""
    sshd: bool
    """Whether its sshd greets."""
    instances: tuple[str, ...]
    """What the lab's layout puts there."""

    @property
    def good(self) -> bool:
        """Whether it runs, has booted and can be reached."""
        return self.running and self.sshd and self.system in {"running", "degraded"}


@dataclass(frozen=True)
class LabStatus:
    """A lab as it is now."""

    name: str
    subnet: str | None
    request: LabRequest | None
    """What it is to be; None when its state is gone."""
    inventory: str | None
    hosts: tuple[HostStatus, ...]

    @property
    def good(self) -> bool:
        """Whether every host that was asked for is there and good."""
        complete = self.request is not None and set(self.request.names) == {host.name for host in self.hosts}
        return complete and all(host.good for host in self.hosts)


@dataclass(frozen=True)
class Lab:
    """A lab that is up, for those who use it: tests, drills, ``lab ssh``."""

    name: str
    request: LabRequest
    access: Access
    engine: Engine

    def reboot(self, host: str, *, power_cut: bool = False) -> None:
        """Restart a host and wait until it lets us in; its address stays.

        Args:
            host: Its name.
            power_cut: Give it no time to shut down.

        Raises:
            OperationFailed: there is no such host, or it did not come back.
        """
        self.stop(host, power_cut=power_cut)
        self.start(host)

    def stop(self, host: str, *, power_cut: bool = False) -> None:
        """Shut a host down, or with ``power_cut`` kill it."""
        container = engine.only(self.engine.hosts(self.name), host).container
        if power_cut:
            self.engine.do("kill", "--signal=KILL", container)
            self.engine.do("wait", container)
        else:
            self.engine.do("stop", f"--time={STOP_SECONDS}", container, timeout=STOP_SECONDS + engine.SLOW)

    def start(self, host: str) -> None:
        """Start a host that was stopped, and wait until it lets us in."""
        self.engine.do("start", engine.only(self.engine.hosts(self.name), host).container)
        login.wait(self.access, [host], BOOT_SECONDS, self.engine.last_words)

    def freeze(self, host: str) -> None:
        """Stop every process of a host; its connections stay open."""
        self.engine.do("pause", engine.only(self.engine.hosts(self.name), host).container)

    def thaw(self, host: str) -> None:
        """Let a frozen host go on."""
        self.engine.do("unpause", engine.only(self.engine.hosts(self.name), host).container)

    def find(self, named: str) -> str:
        """Return the host that a user means: by its name, its number, or an instance on it.

        Raises:
            OperationFailed: there is none.
        """
        hosts = self.request.names
        meant = state.mentioned(hosts, named)
        meant = meant or next((each.host for each in layout.place(self.request) if each.name == named), None)
        if meant is None:
            raise OperationFailed(
                f"lab {self.name} has no host {named}", remedy=f"name one of {', '.join(hosts)}, or an instance"
            )
        return meant


def attach(name: str) -> Lab:
    """Return a lab that is up.

    Raises:
        OperationFailed: there is none of that name.
    """
    kept = state.of(name)
    record = kept.read()
    containers = engine.find(LocalRunner())
    hosts = {host.name: host.address for host in containers.hosts(name)}
    if record is None or not hosts:
        others = ", ".join(sorted(containers.networks()))
        raise OperationFailed(
            f"there is no lab {name}" + (f"; there is {others}" if others else ""), remedy="run rmqops lab up"
        )
    return Lab(name, record.request, kept.access(hosts), containers)


def status(name: str) -> LabStatus:
    """Ask every host of a lab; a lab that is not there has none."""
    kept = state.of(name)
    record = kept.read()
    containers = engine.find(LocalRunner())
    labels = containers.network_labels(engine.network(name))
    ours = labels is not None and labels.get(engine.LABEL) == name
    instances = _instances(record.request) if record else {}
    hosts = each([partial(_status, containers, host, instances) for host in containers.hosts(name)], login.AT_ONCE)
    return LabStatus(
        name=name,
        subnet=containers.subnet(engine.network(name)) if ours else None,
        request=record.request if record else None,
        inventory=record.inventories[-1] if record and record.inventories else None,
        hosts=tuple(hosts),
    )


def _instances(request: LabRequest) -> Mapping[str, Sequence[str]]:
    instances: dict[str, list[str]] = {}
    for placed in layout.place(request):
        instances.setdefault(placed.host, []).append(placed.name)
    return instances


def _status(containers: Engine, host: engine.HostContainer, instances: Mapping[str, Sequence[str]]) -> HostStatus:
    system = (
        containers.ask("exec", host.container, "systemctl", "is-system-running").stdout.strip()
        if host.running
        else ""
    )
    return HostStatus(
        name=host.name,
        address=host.address,
        running=host.running,
        system=system,
        sshd=host.running and login.greets(host.address),
        instances=tuple(instances.get(host.name, ())),
    )

"""The container engine: what is asked of podman or docker, as command lines, and how those are run.

All that a lab makes carries the label :data:`LABEL` with the lab's name as its value, and only what carries it is
ever touched.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from rmqops.errors import OperationFailed, PreflightFailed, ToolMissing
from rmqops.model.commands import Command, Result
from rmqops.transport.base import Runner, check

LABEL: Final = "rmqops.lab"
HOST_LABEL: Final = "rmqops.lab.host"
ADDRESS_LABEL: Final = "rmqops.lab.address"
SEED: Final = "/var/lib/rmqops-lab"
"""In a host: what only this host has (keys), read-only."""
INIT: Final = "/usr/local/lib/rmqops-lab/init"
SLOW: Final = 180.0
"""Seconds that one command may take on a busy machine before it counts as hung."""

CAPABILITIES: Final = (
    "NET_ADMIN",  # iptables and tc: partitions, slow links
    "NET_RAW",  # ping
    "SYS_ADMIN",  # systemd's mount namespaces: without it ProtectSystem= and the like are silently ignored
    "SYS_PTRACE",  # which process holds a port, seen by root
    "MKNOD",  # PrivateDevices=
    "AUDIT_WRITE",  # PAM and sudo
)
"""Beyond the engine's defaults."""
OPTIONAL_CAPABILITIES: Final = {"SYS_RESOURCE": 24}
"""With its number: limits above the hard ones, as LimitNOFILE= asks for; only who has it can give it."""
FAILED_BOOTS: Final = 10
"""A host that the engine had to start so often since it was told to, and that does not answer, will not boot."""
PODMAN_NPROC: Final = 32768
"""podman 4.3 lowers its own limit to this before it starts a container, and refuses to go above."""

_APT: Final = "apt-get install --no-install-recommends podman runc netavark aardvark-dns iptables"


@dataclass(frozen=True)
class HostContainer:
    """A container of a lab, as the engine tells it."""

    name: str
    container: str
    address: str
    running: bool
    image: str


@dataclass(frozen=True)
class HardLimits:
    """Hard limits of the calling process, which its containers cannot exceed."""

    nofile: int
    nproc: int


@dataclass(frozen=True)
class HostRecipe:
    """What the hosts of a lab have in common as they are made."""

    image: str
    seeds: Path
    """The directory with a directory for each host: what only that host has."""
    limits: HardLimits


_PODMAN: Final = ("--systemd=always", "--log-driver=k8s-file", "--log-opt=max-size=1mb")
_DOCKER: Final = (
    # What podman does by itself for a systemd.
    "--tmpfs=/run:rw,nosuid,nodev,exec",
    "--tmpfs=/run/lock:rw,nosuid,nodev",
    "--tmpfs=/tmp:rw,nosuid,nodev,exec",
    "--env=container=docker",
    "--stop-signal=SIGRTMIN+3",
    # Its profile forbids every mount.
    "--security-opt=apparmor=unconfined",
    "--log-driver=json-file",
    "--log-opt=max-size=1m",
)


@dataclass(frozen=True)
class Engine:
    """podman or docker."""

    name: Literal["podman", "docker"]
    transport: Runner = field(repr=False)
    runtime: str | None = None
    """``runc`` where crun would refuse the machine's cgroups; the engine's own choice when None."""
    capabilities: tuple[str, ...] = CAPABILITIES

    def do(self, *argv: str, timeout: float = SLOW) -> Result:
        """Run a subcommand of the engine and insist on success."""
        return check(self.ask(*argv, timeout=timeout), self.name)

    def ask(self, *argv: str, timeout: float = SLOW) -> Result:
        """Run a subcommand of the engine."""
        return self.transport.run(Command((self.name, *argv), timeout=timeout))

    def hosts(self, lab: str) -> tuple[HostContainer, ...]:
        """Return the containers of a lab, in the order of their numbers."""
        names = self.do("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}={lab}").stdout.split()
        if not names:
            return ()
        containers = [_host(entry) for entry in json.loads(self.do("container", "inspect", *names).stdout)]
        return tuple(sorted(containers, key=lambda host: (len(host.name), host.name)))

    def networks(self) -> Mapping[str, Mapping[str, str]]:
        """Return the labels of the network of each lab, by the lab's name."""
        listed = self.do("network", "ls", "--quiet", "--filter", f"label={LABEL}").stdout.split()
        networks = [labels for name in listed if (labels := self.network_labels(name))]
        return {labels[LABEL]: labels for labels in networks if LABEL in labels}

    def last_words(self, host: str) -> str | None:
        """Return why a host will never answer: it stops instead of booting; None when it runs."""
        now = self.ask("container", "inspect", "--format", "{{.State.Running}} {{.RestartCount}}", container(host))
        running, restarts = (*now.stdout.split(), "false", "0")[:2]
        if running == "true" and int(restarts) < FAILED_BOOTS:
            return None
        logs = self.ask("logs", "--tail=12", container(host))
        return f"it has stopped; its last words: {(logs.stdout + logs.stderr).strip() or 'none'}"

    def count(self) -> int:
        """Return how many hosts all labs have."""
        return len(self.do("ps", "--all", "--quiet", "--filter", f"label={LABEL}").stdout.split())

    def network_labels(self, network: str) -> Mapping[str, str] | None:
        """Return the labels of a network, or None when there is none of that name."""
        answer = self.ask("network", "inspect", network)
        if not answer.ok:
            return None
        (entry,) = json.loads(answer.stdout)
        return entry.get("labels") or entry.get("Labels") or {}

    def subnet(self, network: str) -> str:
        """Return the subnet of a network."""
        (entry,) = json.loads(self.do("network", "inspect", network).stdout)
        subnets = entry.get("subnets") or entry["IPAM"]["Config"]
        return str(subnets[0].get("subnet") or subnets[0]["Subnet"])

    def create(self, lab: str, host: str, address: str, recipe: HostRecipe) -> tuple[str, ...]:
        """Return the subcommand that makes and starts one host."""
        limits = recipe.limits
        argv = [
            "run",
            "--detach",
            "--pull=never",
            # A reboot from inside ends the container, and so does a poweroff; what the engine stops stays so.
            "--restart=unless-stopped",
            "--env=RMQOPS_LAB_RESTART=1",  # tells the fault `reboot`
            f"--name={container(host)}",
            f"--hostname={host}",
            f"--network={network(lab)}",
            f"--ip={address}",
            f"--mac-address={_mac(address)}",
            f"--network-alias={host}",
            f"--label={LABEL}={lab}",
            f"--label={HOST_LABEL}={host}",
            f"--label={ADDRESS_LABEL}={address}",
            f"--volume={recipe.seeds / host}:{SEED}:ro",
            # Without one, the init of the image would hand the machine's own cgroups to the host's systemd.
            "--cgroupns=private",
            "--pids-limit=16384",
            f"--ulimit=nofile={limits.nofile}:{limits.nofile}",
            f"--ulimit=nproc={limits.nproc}:{limits.nproc}",
            *(f"--cap-add={capability}" for capability in self.capabilities),
            *(_PODMAN if self.name == "podman" else _DOCKER),
        ]
        if self.runtime:
            argv.insert(1, f"--runtime={self.runtime}")
        return (*argv, recipe.image, INIT)


def container(host: str) -> str:
    """Return the name of a host's container."""
    return f"rmqops-{host}"


def network(lab: str) -> str:
    """Return the name of a lab's network."""
    return f"rmqops-{lab}"


def _host(entry: Mapping[str, object]) -> HostContainer:
    config, state = entry["Config"], entry["State"]
    assert isinstance(config, dict)
    assert isinstance(state, dict)
    labels = config["Labels"]
    return HostContainer(
        name=labels.get(HOST_LABEL, ""),
        container=str(entry["Id"]),
        address=labels.get(ADDRESS_LABEL, ""),
        running=bool(state["Running"]),
        image=str(config["Image"]),
    )


def limits() -> HardLimits:
    """Return the hard limits of this process, as containers may have them."""
    nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    nproc = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    unlimited = resource.RLIM_INFINITY
    return HardLimits(
        nofile=1048576 if nofile == unlimited else min(nofile, 1048576),
        nproc=PODMAN_NPROC if nproc == unlimited else min(nproc, PODMAN_NPROC),
    )


def find(transport: Runner, path: str | None = None) -> Engine:
    """Find the engine of this machine: podman, else docker with a daemon that answers.

    Raises:
        ToolMissing: there is none, or a part of it is missing.
        PreflightFailed: this user may not use it.
    """
    given = tuple(name for name, number in OPTIONAL_CAPABILITIES.items() if _has_capability(number))
    if shutil.which("podman", path=path):
        if os.geteuid() != 0:
            raise PreflightFailed(
                "the lab's hosts need a network that this machine can reach, which podman gives to root only",
                remedy="run it as root, such as sudo rmqops lab up",
            )
        runc = shutil.which("runc", path=path) is not None
        if not runc and not Path("/sys/fs/cgroup/cgroup.controllers").exists():
            raise ToolMissing("runc is missing, and podman's crun refuses this machine's cgroups", remedy=_APT)
        return Engine("podman", transport, "runc" if runc else None, (*CAPABILITIES, *given))
    if shutil.which("docker", path=path):
        engine = Engine("docker", transport, None, (*CAPABILITIES, *given))
        answer = engine.ask("version", "--format", "{{.Server.Version}}")
        if answer.ok:
            return engine
        raise ToolMissing(
            "docker is here and its daemon does not answer, and there is no podman",
            remedy=f"start docker, or install podman: {_APT}",
            detail=answer.stderr.strip() or None,
        )
    raise ToolMissing("the lab needs podman or docker, and neither is here", remedy=_APT)


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def only(hosts: Sequence[HostContainer], name: str) -> HostContainer:
    """Return the host of that name.

    Raises:
        OperationFailed: there is none.
    """
    for host in hosts:
        if host.name == name:
            return host
    names = ", ".join(host.name for host in hosts) or "none"
    raise OperationFailed(f"there is no host {name} in the lab; there is {names}")


def _mac(address: str) -> str:
    """Return a locally administered MAC that an address keeps: its neighbours know a host that was made anew."""
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))

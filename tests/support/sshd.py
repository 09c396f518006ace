"""A real sshd of our own on a loopback port, with its own host key, and inventories that lead to it."""

from __future__ import annotations

import getpass
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rmqops.model.topology import Instance, Value

SSHD = "/usr/sbin/sshd"


@dataclass(frozen=True)
class Sshd:
    """A running sshd, the client's files for it, and its process."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def key(self) -> Path:
        """The private key that it lets in."""
        return self.directory / "id"

    @property
    def known_hosts(self) -> Path:
        """The client's file; it knows the host from the start."""
        return self.directory / "known_hosts"

    @property
    def host_key(self) -> str:
        """Type and key, as in its public file."""
        return " ".join((self.directory / "host.pub").read_text().split()[:2])

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.directory / "sshd.log").read_text()

    def variables(self, **changes: Value) -> dict[str, Value]:
        """Return Ansible's variables that lead to it."""
        options = f"-F {self.directory / 'config'} -o UserKnownHostsFile={self.known_hosts}"
        plain: dict[str, Value] = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": options,
            "rocketmq_address": "127.0.0.1",
            "rocketmq_listen_port": 1,
        }
        return {key: value for key, value in {**plain, **changes}.items() if value is not None}

    def instance(self, name: str = "one", /, **changes: Value) -> Instance:
        """Describe an instance on it."""
        variables = self.variables(**changes)
        return Instance(name, "namesrv", None, str(variables["ansible_host"]), "ssh", variables)

    def trust(self) -> None:
        """Put its key into the client's known_hosts."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {self.host_key}\n")


@contextmanager
def sshd(directory: Path, *settings: str) -> Iterator[Sshd]:
    """Run an sshd while the block runs; ``settings`` are lines of its configuration, before ours."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("host", "id"):
        if not (directory / name).exists():
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
            subprocess.run(keygen, check=True)
    (directory / "authorized_keys").write_text((directory / "id.pub").read_text())
    (directory / "config").write_text("IdentitiesOnly yes\nGlobalKnownHostsFile none\n")
    port = free_port()
    _configure(directory, port, settings)
    Path("/run/sshd").mkdir(exist_ok=True)  # where it insists on separating privileges, when it is root's
    with (directory / "sshd.log").open("ab") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(directory / "sshd_config")], stderr=log)
    made = Sshd(directory, port, process)
    try:
        _await(made)
        made.trust()
        yield made
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configure(directory: Path, port: int, settings: Sequence[str]) -> None:
    lines = [
        *settings,
        "ListenAddress 127.0.0.1",
        f"Port {port}",
        f"HostKey {directory / 'host'}",
        f"AuthorizedKeysFile {directory / 'authorized_keys'}",
        f"PidFile {directory / 'pid'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "LogLevel VERBOSE",
    ]
    (directory / "sshd_config").write_text("\n".join(lines) + "\n")


def _await(made: Sshd) -> None:
    end = time.monotonic() + 30
    while "Server listening" not in made.log:
        assert made.process.poll() is None, made.log
        assert time.monotonic() < end, f"sshd does not listen: {made.log}"
        time.sleep(0.02)

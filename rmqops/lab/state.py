"""What a lab keeps on this machine: keys, known hosts, and what was asked for.

::

    /run/rmqops/lab-NAME.lock         held while a lab is made or removed, whatever the state directory
    <state>/lab/NAME/lab.json         what was asked for, and the inventories that were written
                     id_ed25519       the key that logs in, made for this lab
                     known_hosts      the hosts' own keys, made here, so that no first connection is blind
                     sudo_password    with --sudo-password
                     hosts/H/         what host H is given: its key, who may log in

Losing it loses no container: ``lab down`` finds those by their labels.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rmqops.errors import ToolMissing, UsageError
from rmqops.lab.layout import Access, LabRequest
from rmqops.model.commands import Command
from rmqops.operations.logbook import state_directory
from rmqops.system import locks
from rmqops.system.files import write_whole
from rmqops.transport.base import check
from rmqops.transport.local import LocalTransport

MARKER: Final = "lab.json"
RUN: Final = Path("/run/rmqops")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,29}")


@dataclass(frozen=True)
class LabRecord:
    """What ``lab.json`` holds."""

    request: LabRequest
    inventories: tuple[str, ...] = ()
    """Absolute paths of the inventories that were written, the newest last."""


@dataclass(frozen=True)
class LabDirectory:
    """The directory of one lab."""

    root: Path

    @property
    def key(self) -> Path:
        """The private key that logs in."""
        return self.root / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The keys of the hosts."""
        return self.root / "known_hosts"

    @property
    def password(self) -> Path:
        """The password that sudo asks for, in a lab where it does."""
        return self.root / "sudo_password"

    @property
    def seeds(self) -> Path:
        """A directory for each host: what it is given."""
        return self.root / "hosts"

    def access(self, addresses: dict[str, str]) -> Access:
        """Return how the hosts are reached."""
        return Access(addresses, self.key, self.known_hosts)

    def read(self) -> LabRecord | None:
        """Return what was asked for; None when this lab has no state that can be read."""
        try:
            kept = json.loads((self.root / MARKER).read_text("utf-8"))
            return LabRecord(LabRequest(**kept["wanted"]), tuple(kept["inventories"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, record: LabRecord) -> None:
        """Keep what was asked for."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {"wanted": asdict(record.request), "inventories": record.inventories}
        write_whole(self.root / MARKER, json.dumps(content, indent=2))

    def remove(self) -> bool:
        """Remove the directory if it is a lab's; tell whether something was there."""
        if not (self.root / MARKER).is_file():
            return False
        shutil.rmtree(self.root)
        return True


def of(name: str) -> LabDirectory:
    """Return the state of a lab.

    Raises:
        UsageError: that is no name for a lab.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a lab: hosts, a network and a directory are named after it",
            remedy="use a small letter, then small letters, digits and `-`, at most 30",
        )
    return LabDirectory((state_directory() / "lab" / name).absolute())


def names() -> tuple[str, ...]:
    """Return the names of the labs that have a state."""
    return tuple(sorted(path.parent.name for path in (state_directory() / "lab").glob(f"*/{MARKER}")))


def locked(name: str, purpose: str, say: Callable[[str], None]) -> AbstractContextManager[int]:
    """Hold the lock of a lab; yields its descriptor."""
    path = _lock_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return locks.held(path, purpose, lambda who: say(f"waiting for {who}"))


def forget_lock(name: str) -> None:
    """Remove the lock of a lab that is gone; the caller holds it."""
    _lock_path(name).unlink(missing_ok=True)


def _lock_path(name: str) -> Path:
    # Containers are the machine's, so their lock is, too. Who is not root (docker) has a place of their own only.
    return RUN / f"lab-{name}.lock" if os.geteuid() == 0 else of(name).root.with_suffix(".lock")


def make_keys(state: LabDirectory, request: LabRequest, addresses: dict[str, str]) -> None:
    """Make the key that logs in and a key for each host, where they are missing, and write ``known_hosts``.

    Raises:
        ToolMissing: ssh is not here.
    """
    for program in ("ssh", "ssh-keygen"):
        if shutil.which(program) is None:
            raise ToolMissing(
                f"{program} is missing", remedy="apt-get install --no-install-recommends openssh-client"
            )
    state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make_key(state.key, f"rmqops-{request.name}")
    if request.sudo_password and not state.password.exists():
        write_whole(state.password, secrets.token_urlsafe(12) + "\n", mode=0o600)
    known = []
    for host in request.names:
        seed = state.seeds / host
        seed.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = seed / "ssh_host_ed25519_key"
        _make_key(key, host)
        write_whole(seed / "authorized_keys", public(state.key), mode=0o600)
        if request.sudo_password:
            write_whole(seed / "sudo_password", state.password.read_text("ascii"), mode=0o600)
        if request.kernel_settings:
            write_whole(seed / "kernel_settings", "", mode=0o600)
        kind, value, _ = public(key).split(" ", 2)
        known.append(f"{addresses[host]},{host} {kind} {value}\n")
    write_whole(state.known_hosts, "".join(known), mode=0o600)


def public(key: Path) -> str:
    """Return the public half of a key, one line."""
    return key.with_suffix(".pub").read_text("ascii")


def _make_key(path: Path, comment: str) -> None:
    if path.exists() and path.with_suffix(".pub").exists():
        return
    half = path.with_suffix(".half")
    for leftover in (half, Path(f"{half}.pub")):
        leftover.unlink(missing_ok=True)
    argv = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(half))
    check(LocalTransport().run(Command(argv)), "ssh-keygen")
    Path(f"{half}.pub").replace(path.with_suffix(".pub"))
    half.replace(path)


def mentioned(hosts: Sequence[str], word: str) -> str | None:
    """Return the host that a user means by its name or its number."""
    return next((host for host in hosts if word in {host, host.rsplit("-", 1)[-1]}), None)

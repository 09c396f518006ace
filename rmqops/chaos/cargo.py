"""What the load needs on a client's host: the client's jars, our classes, a Java; put there once, by content.

::

    <rocketmq_base_dir>/load/        the login user's
      rocketmq-4.5.2-<digest>-…/     lib (the release's jars) and classes (ours); never changes
      java-17.0.15-…/                the runtime that travels with the release, where rocketmq_java is bundled
      runs/<run>/                    what the clients of a run log; removed when it ends
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from rmqops.chaos import marks
from rmqops.chaos.workload.java import Made
from rmqops.errors import OperationFailed, PreflightFailed
from rmqops.model.commands import Command
from rmqops.model.topology import Client
from rmqops.operations.probes.java import FIND, LEAST
from rmqops.transport.base import Transport, check

DIRECTORY = "load"
UNPACK_SECONDS = 120.0

# $1 base directory, $2 home of a Java of the host's, or nothing, $3 … names
_SEEN = f"""
base=$1 java=$2
shift 2
printf 'user %s\\n' "$(id -un)"
printf 'machine %s\\n' "$(uname -m)"
for name in "$@"; do [ ! -d "$base/$name" ] || printf 'there %s\\n' "$name"; done
{FIND}
found=$(command -v "$java") || exit 0
printf 'java %s\\n' "$found"
"$found" -version 2>&1 | sed -n 's/.* version "\\([^"]*\\)".*/version \\1/p'
"""

# $1 directory, $2 login user. A run whose rmqops was killed has left what its clients logged.
_ROOM = f"""{marks.BEARERS}
umask 022
mkdir -p "$1/runs" && chown "$2" "$1" "$1/runs" || exit 1
for run in "$1"/runs/*; do
  [ ! -d "$run" ] || [ -n "$(bearers "-Drmqops.load=${{run##*/}}")" ] || rm -rf "$run"
done
"""

# $1 directory, $2 login user, $3 name
_UNPACK = """
set -eu
umask 022
half=$(mktemp -d "$1/.half.XXXXXXXX")
trap 'rm -rf "$half" "$1/.$3.tar.gz"' EXIT
tar -xzf "$1/.$3.tar.gz" -C "$half" --strip-components=1 --no-same-owner
chmod 755 "$half"
chown -R "$2" "$half"
mv -T "$half" "$1/$3" 2> /dev/null || [ -d "$1/$3" ]
"""


@dataclass(frozen=True)
class Piece:
    """A directory that a host must have, as an archive with one top directory."""

    name: str
    """Of its content."""
    content: Callable[[], bytes]
    """The ``.tar.gz``."""


@dataclass(frozen=True)
class Stowed:
    """A client's host that has all it needs."""

    client: Client
    transport: Transport
    room: PurePosixPath
    """Our directory there."""
    java: PurePosixPath
    major: int
    classes: PurePosixPath
    library: PurePosixPath


@dataclass(frozen=True)
class Seen:
    """What a client's host has, and what it lacks; nothing was changed there yet."""

    client: Client
    transport: Transport
    user: str
    java: PurePosixPath
    major: int
    load: str
    """The name of the directory with the jars and classes."""
    missing: tuple[Piece, ...]

    @property
    def room(self) -> PurePosixPath:
        """Our directory there."""
        return _room(self.client)

    def stow(self) -> Stowed:
        """Put there what is missing.

        Raises:
            PreflightFailed: it cannot be put there.
        """
        room, run = str(self.room), self.transport.run
        try:
            check(run(Command.shell(_ROOM, room, self.user)), self.client.name)
            for piece in self.missing:
                self.transport.put(piece.content(), f"{room}/.{piece.name}.tar.gz", 0o644)
                command = Command.shell(_UNPACK, room, self.user, piece.name, timeout=UNPACK_SECONDS)
                check(run(command), self.client.name)
        except OperationFailed as error:
            raise PreflightFailed(
                f"{self.client.name}: what the load needs cannot be put into {room}; the cluster was not touched",
                detail="\n".join(filter(None, [error.message, error.detail])),
                remedy="make room there, see ansible_become, or set another rocketmq_base_dir for it",
            ) from error
        load = self.room / self.load
        return Stowed(
            self.client, self.transport, self.room, self.java, self.major, load / "classes", load / "lib"
        )


def look(client: Client, transport: Transport, made: Made) -> Seen:
    """See what a client's host has and lacks; changes nothing.

    Raises:
        PreflightFailed: it has no Java that will do, and none that travels fits.
        OperationFailed: it cannot be asked.
    """
    runtime = made.artifact.runtime if client.text("rocketmq_java") == "bundled" else None
    wanted = [Piece(made.classes.name, lambda: _packed(made))]
    if runtime is not None:
        wanted.append(Piece(runtime.name, runtime.path.read_bytes))
    names = [piece.name for piece in wanted]
    ask = Command.shell(_SEEN, str(_room(client)), client.text("rocketmq_java_home"), *names, become=False)
    lines = [line.partition(" ") for line in check(transport.run(ask), client.name).stdout.splitlines()]
    said = {key: value for key, _, value in lines}
    there = {value for key, _, value in lines if key == "there"}
    if client.text("rocketmq_java") != "bundled":
        java, version = PurePosixPath(said.get("java", "")), said.get("version", "")
    elif runtime is None:
        raise PreflightFailed(
            f"{client.name} takes the Java that travels with the release (rocketmq_java: bundled), and RocketMQ "
            f"{made.artifact.version} was built without one; nothing was touched",
            remedy=f"rmqops build --version {made.artifact.version} --runtime, or rmqops deploy, which does it",
        )
    elif runtime.machine != said.get("machine"):
        raise PreflightFailed(
            f"{client.name} is a {said.get('machine')}, and the Java that travels is for {runtime.machine}; "
            "nothing was touched",
            remedy="install a Java there and set rocketmq_java: system for it",
        )
    else:
        java, version = _room(client) / runtime.name / "bin" / "java", runtime.java
    found = re.match(r"(?:1\.)?(\d+)", version)
    major = int(found[1]) if found else 0
    if major < LEAST:
        raise PreflightFailed(
            f"{client.name} has {f'Java {version}' if version else 'no Java that runs'}, and the official client "
            f"needs {LEAST} or later; nothing was touched",
            remedy="install one there, set rocketmq_java_home, or set rocketmq_java: bundled for it",
        )
    missing = tuple(piece for piece in wanted if piece.name not in there)
    return Seen(client, transport, said["user"], java, major, made.classes.name, missing)


def _room(client: Client) -> PurePosixPath:
    return PurePosixPath(client.text("rocketmq_base_dir")) / DIRECTORY


def _packed(made: Made) -> bytes:
    """Return the release's jars and our classes as an archive; jars are packed already, so hardly any more."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        archive.add(made.library, "load/lib")
        archive.add(made.classes, "load/classes")
    return buffer.getvalue()

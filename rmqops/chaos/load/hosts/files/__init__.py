"""What the load needs on a client's host, put there once, by content; one file beside this for each driver.

::

    <rocketmq_base_dir>/load/        the login user's
      rocketmq-4.5.2-<digest>-…/     of the driver java: lib (the release's jars) and classes (ours)
      java-17.0.15-…/                the runtime that travels with the release, where rocketmq_java is bundled
      rmqops-0.1.0-<digest>/         of the driver native: our modules
      runs/<run>/                    what the clients of a run log; removed when it ends
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from rmqops.chaos.load.clients.drivers import Driver
from rmqops.chaos.mechanisms import process_marks
from rmqops.errors import OperationFailed, PreflightFailed
from rmqops.model.commands import Command
from rmqops.model.topology import Client
from rmqops.transport.base import Transport, check

DIRECTORY = "load"
UNPACK_SECONDS = 120.0

# $1 our directory, $2 what the driver's own script that follows is given as $own, $3 … names. What is there
# is printed as words and values, a line each.
_SURVEY = """
base=$1 own=$2
shift 2
printf 'user %s\\n' "$(id -un)"
for name in "$@"; do [ ! -d "$base/$name" ] || printf 'there %s\\n' "$name"; done
"""

# $1 directory, $2 login user. A run whose rmqops was killed has left what its clients logged.
_PREPARE = f"""{process_marks.BEARERS}
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
class Archive:
    """A directory that a host must have, as an archive with one top directory."""

    name: str
    """Of its content."""
    content: Callable[[], bytes]
    """The ``.tar.gz``."""


@dataclass(frozen=True)
class ClientProgram:
    """How processes are started on a host that has all archives."""

    driver: Callable[[str, int], Driver]
    """Given the mark of a run and the seconds of silence after which a process ends itself."""
    clock: tuple[str, ...]
    """The command of a process that answers each byte with its monotonic clock (``load.hosts.clocks``)."""


@dataclass(frozen=True)
class ReadyHost:
    """A client's host that has all it needs."""

    client: Client
    transport: Transport
    program: ClientProgram

    @property
    def directory(self) -> PurePosixPath:
        """Our directory there."""
        return client_directory(self.client)


@dataclass(frozen=True)
class SurveyedHost:
    """What a client's host lacks; nothing was changed there yet."""

    client: Client
    transport: Transport
    program: ClientProgram
    user: str
    missing: tuple[Archive, ...]

    def upload(self) -> ReadyHost:
        """Put there what is missing.

        Raises:
            PreflightFailed: it cannot be put there.
        """
        directory, run = str(client_directory(self.client)), self.transport.run
        try:
            check(run(Command.shell(_PREPARE, directory, self.user)), self.client.name)
            for archive in self.missing:
                self.transport.put(archive.content(), f"{directory}/.{archive.name}.tar.gz", 0o644)
                command = Command.shell(_UNPACK, directory, self.user, archive.name, timeout=UNPACK_SECONDS)
                check(run(command), self.client.name)
        except OperationFailed as error:
            raise PreflightFailed(
                f"{self.client.name}: what the load needs cannot be put into {directory}; "
                "the cluster was not touched",
                detail="\n".join(filter(None, [error.message, error.detail])),
                remedy="make room there, see ansible_become, or set another rocketmq_base_dir for it",
            ) from error
        return ReadyHost(self.client, self.transport, self.program)


class ClientFiles(Protocol):
    """What one driver needs."""

    def survey(self, client: Client, transport: Transport) -> SurveyedHost:
        """Find out what a client's host has and lacks; changes nothing.

        Raises:
            PreflightFailed: it cannot run the load.
            OperationFailed: it cannot be asked.
        """


def client_directory(client: Client) -> PurePosixPath:
    """Return our directory on a client's host."""
    return PurePosixPath(client.text("rocketmq_base_dir")) / DIRECTORY


def survey_host(
    client: Client, transport: Transport, needed: Sequence[Archive], script: str, own: str
) -> tuple[dict[str, str], tuple[Archive, ...]]:
    """Ask a host for its login user, for what a driver must know, and for the archives that it lacks.

    Args:
        client: The host.
        transport: Leads there.
        needed: What it must have.
        script: The driver's; prints words and values, a line each, and has ``own`` as ``$own``.
        own: What it is given.

    Raises:
        OperationFailed: it cannot be asked.
    """
    names = [archive.name for archive in needed]
    command = Command.shell(_SURVEY + script, str(client_directory(client)), own, *names, become=False)
    answer = check(transport.run(command), client.name).stdout
    lines = [line.partition(" ") for line in answer.splitlines()]
    there = {value for key, _, value in lines if key == "there"}
    missing = tuple(archive for archive in needed if archive.name not in there)
    return {key: value for key, _, value in lines}, missing

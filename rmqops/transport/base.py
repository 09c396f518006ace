"""The seam between rmqops and a host: one small protocol, and a factory."""

from __future__ import annotations

from typing import Protocol

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command, Result
from rmqops.model.topology import Instance


class Transport(Protocol):
    """Runs commands on one host."""

    @property
    def host(self) -> str:
        """The host's name, for messages."""

    def run(self, command: Command) -> Result:
        """Run a command to its end and return what it did, whatever its exit code.

        Raises:
            OperationFailed: it could not be started, or did not end within its time-out.
        """


def check(result: Result, host: str) -> Result:
    """Return the result of a command that exited with 0.

    Raises:
        OperationFailed: it exited with something else.
    """
    if result.ok:
        return result
    raise OperationFailed(
        f"{host}: {result.command.argv[0]} exited with {result.code}",
        detail=(result.stderr or result.stdout).strip()[-2000:] or None,
    )


def transport_for(instance: Instance) -> Transport:
    """Return the transport that reaches an instance's host."""
    if instance.connection == "local":
        from rmqops.transport.local import LocalTransport

        return LocalTransport()
    raise OperationFailed(
        f"{instance.name}: connection {instance.connection!r} is not supported",
        remedy="set ansible_connection: local",
    )

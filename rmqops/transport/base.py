"""The seam between rmqops and a host: one small protocol, and a factory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command, Result
from rmqops.model.topology import Reachable


class Running(Protocol):
    """A process that goes on, on a host. A context manager; leaving it closes it."""

    @property
    def returncode(self) -> int | None:
        """Its exit code; None until it has ended."""

    def __iter__(self) -> Iterator[str]:
        """Yield the lines of both its outputs as they come, without their ends, until it ends.

        Raises:
            HostUnreachable: the connection was lost.
        """

    def chunks(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield what it says on its two outputs, as it comes, until it ends; instead of its lines.

        Raises:
            HostUnreachable: the connection was lost.
        """

    def tell(self, data: bytes) -> None:
        """Hand in some input, if it was opened to be talked to; from any thread.

        Raises:
            OperationFailed: it takes none.
        """

    def close(self) -> None:
        """End it on its host as well; may be called again, and from another thread than the one that reads."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Runner(Protocol):
    """The part of a transport that runs commands."""

    @property
    def host(self) -> str:
        """The host's name, for messages."""

    def run(self, command: Command) -> Result:
        """Run a command to its end and return what it did, whatever its exit code.

        Raises:
            OperationFailed: it could not be started, or did not end within its time-out.
        """


class Transport(Runner, Protocol):
    """Runs commands and moves files on one host; safe to use from several threads.

    Commands and files are those of the user that the inventory says (``ansible_become``), unless a command says
    otherwise. Every method raises ``HostUnreachable`` when the host does not answer or the connection is lost,
    ``HostKeyUnknown``, ``HostKeyChanged`` or ``LoginRefused`` when it cannot be logged into, and ``BecomeRefused``
    when sudo refuses.
    """

    def put(self, content: bytes, path: str, mode: int) -> None:
        """Write a file: beside its place, flushed to disk, checked, and only then moved there.

        Args:
            content: All of it.
            path: Absolute; its directory is there.
            mode: Such as ``0o640``.

        Raises:
            OperationFailed: it could not be written; what was there before is as it was.
        """

    def get(self, path: str) -> bytes:
        """Return the content of a file.

        Raises:
            OperationFailed: it could not be read.
        """

    def open(self, command: Command, *, talk: bool = False) -> Running:
        """Start a command that goes on until it is closed or the connection ends; its time-out does not matter.

        It gets no input, and its two outputs are one. With ``talk`` it gets what it is told, its outputs are
        apart, and it must end by itself when its input does.
        """


Transports = Callable[[Reachable], Transport]
"""How hosts are reached: :func:`transport_for`, or what a test puts in its place."""


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


def transport_for(instance: Reachable) -> Transport:
    """Return the transport that reaches an instance's host.

    Raises:
        InventoryError: the inventory says how to reach it in a way that rmqops does not know.
    """
    from rmqops.transport import privilege

    if instance.connection == "local":
        from rmqops.transport.local import LocalTransport

        return LocalTransport(privilege.of(instance))
    from rmqops.transport.ssh import SshTransport

    return SshTransport.reaching(instance)

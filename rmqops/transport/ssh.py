"""Commands on a host over ssh: each is a channel of a connection that the pool keeps."""

from __future__ import annotations

import select
import threading
import time
from dataclasses import dataclass
from typing import Final

import paramiko

from rmqops.errors import HostUnreachable
from rmqops.model.topology import Reachable
from rmqops.transport import destination, pool, privilege
from rmqops.transport.base_transport import BaseTransport
from rmqops.transport.conversation import LINGER
from rmqops.transport.destination import Destination
from rmqops.transport.pool import Lease
from rmqops.transport.wrapping import Wrapped

_CHUNK: Final = 65536
_STATUS: Final = 0.05
"""Seconds between two looks for an exit status that follows the end of the output."""


@dataclass(frozen=True, kw_only=True)
class SshTransport(BaseTransport):
    """Runs commands on a host over ssh; the connection is shared by all transports to it."""

    target: Destination

    @classmethod
    def reaching(cls, instance: Reachable) -> SshTransport:
        """Return the transport to an instance's host; nothing is connected yet."""
        return cls(become=privilege.of(instance), target=destination.of(instance))

    @property
    def host(self) -> str:
        """The host, with its port where that is not 22."""
        return self.target.host

    def _start(self, wrapped: Wrapped) -> SshPipe:
        lease = pool.lease(self.target)
        # paramiko waits for the answer to the request without end; closing the channel wakes it.
        watch = threading.Timer(self.patience, lease.channel.close)
        watch.daemon = True
        watch.start()
        try:
            lease.channel.exec_command(wrapped.line.encode("utf-8", "surrogateescape"))
        except (paramiko.SSHException, EOFError, OSError) as error:
            lease.give_back()
            raise HostUnreachable(
                f"{self.host}: logged in, but {wrapped.program} was not started",
                detail=str(error) or None,
                remedy="log in there by hand",
            ) from error
        except BaseException:
            lease.give_back()
            raise
        finally:
            watch.cancel()
        return SshPipe(lease, self.host, wrapped.program)


class SshPipe:
    """The streams of a remote process; see :class:`rmqops.transport.conversation.Pipe`."""

    def __init__(self, lease: Lease, host: str, program: str) -> None:
        self._lease = lease
        self._channel = lease.channel
        self._host = host
        self._program = program
        self._poll = select.poll()
        self._poll.register(self._channel.fileno(), select.POLLIN)
        self._exited: float | None = None

    def receive(self, wait: float) -> tuple[bytes, bytes, bool]:
        """Hear the process."""
        channel = self._channel
        if not (channel.recv_ready() or channel.recv_stderr_ready() or channel.closed):
            if channel.eof_received:  # its end is seen for ever; what is missing is its exit code
                channel.status_event.wait(min(wait, _STATUS))
            else:
                self._poll.poll(wait * 1000)
        over = channel.closed or (channel.eof_received and channel.status_event.is_set())
        out = channel.recv(_CHUNK) if channel.recv_ready() else b""
        err = channel.recv_stderr(_CHUNK) if channel.recv_stderr_ready() else b""
        if out or err:
            return out, err, False
        if channel.exit_status == -1 and not self._lease.transport.is_active():
            raise HostUnreachable(
                f"{self._host}: the connection was lost while {self._program} ran; "
                "whether it has ended there is not known",
                remedy="see whether the host is up, and run the same command again",
            )
        return b"", b"", over or self._lingers()

    def _lingers(self) -> bool:
        """Tell whether the process has ended a while ago, and only a child of it holds its output."""
        if not self._channel.status_event.is_set():
            return False
        if self._exited is None:
            self._exited = time.monotonic()
        return time.monotonic() - self._exited > LINGER

    def send(self, data: bytes) -> int:
        """Write to the process; what it will not read any more counts as taken."""
        try:
            return self._channel.send(data) if self._channel.send_ready() else 0
        except OSError:
            return len(data)

    def shut(self) -> None:
        """End the process's input."""
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError):
            return  # it is closed already

    def code(self) -> int:
        """Return the exit code; 255 when a signal ended it."""
        return self._channel.exit_status if self._channel.exit_status >= 0 else 255

    def end(self) -> None:
        """Close the channel; what hangs on its lifeline ends with it, the rest at its time-out."""
        self._lease.give_back()

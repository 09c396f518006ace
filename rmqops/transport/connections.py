"""One connection a machine, kept for the process and shared by its threads; a second where sshd takes no more.

A channel is one command. sshd allows a number of them at a time (``MaxSessions``, 10 by default); above ours, or
when it refuses one, another connection is made, so that no command ever waits for another one.
"""

from __future__ import annotations

import atexit
import threading
from typing import Final

import paramiko

from rmqops.errors import HostUnreachable
from rmqops.transport import login
from rmqops.transport.destination import Destination

CHANNELS: Final = 8
"""Commands at a time on one connection."""
_HERE: Final = ("127.0.0.1", 0)
"""Where a forwarded connection claims to come from; sshd writes it to its log."""


class Connection:
    """A connection on which we are logged in, and how many channels it carries."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self.transport = transport
        self.used = 0
        self.most = CHANNELS

    @property
    def free(self) -> bool:
        """Whether it lives and takes one more channel."""
        return self.transport.is_active() and self.used < self.most


class _Machine:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections: list[Connection] = []


class Lease:
    """A channel, until it is given back."""

    def __init__(self, machine: _Machine, connection: Connection, channel: paramiko.Channel) -> None:
        self.channel = channel
        self.transport = connection.transport
        self._machine = machine
        self._connection: Connection | None = connection

    def give_back(self) -> None:
        """Close the channel and make room for another; may be called again."""
        self.channel.close()
        with self._machine.lock:
            if self._connection is not None:
                self._connection.used -= 1
                self._connection = None


_machines: dict[Destination, _Machine] = {}
_lock = threading.Lock()


def lease(target: Destination, place: tuple[str, int] | None = None) -> Lease:
    """Return a channel to a host: for a command, or with ``place`` for a TCP connection from there on.

    Raises:
        HostUnreachable: the host does not answer, the connection was lost, or ``place`` cannot be reached from it.
        HostKeyUnknown: nobody has vouched for its key.
        HostKeyChanged: its key is not the known one.
        LoginRefused: it does not take our keys.
    """
    with _lock:
        machine = _machines.setdefault(target, _Machine())
    while True:
        connection, fresh = _connection(machine, target)
        try:
            channel = _open(connection.transport, target, place)
        except (paramiko.SSHException, EOFError, OSError) as error:
            if place and connection.transport.is_active():
                _take_back(machine, connection)
                raise _no_channel(target, place, error) from error
            _give_up(machine, connection)
            if fresh:
                raise _no_channel(target, place, error) from error
        else:
            return Lease(machine, connection, channel)


def _connection(machine: _Machine, target: Destination) -> tuple[Connection, bool]:
    """Take a place on a connection, and tell whether that was made for it; logins to one machine take turns."""
    with machine.lock:
        machine.connections = [item for item in machine.connections if item.used or item.transport.is_active()]
        found = next((item for item in machine.connections if item.free), None)
        connection = found or Connection(login.connect(target))
        if found is None:
            machine.connections.append(connection)
        connection.used += 1
        return connection, found is None


def _open(transport: paramiko.Transport, target: Destination, place: tuple[str, int] | None) -> paramiko.Channel:
    if place is None:
        return transport.open_session(timeout=target.timeout)
    return transport.open_channel("direct-tcpip", place, _HERE, timeout=target.timeout)


def _take_back(machine: _Machine, connection: Connection) -> None:
    """Give up a place on a connection that is good for others: only what it was to lead to is not there."""
    with machine.lock:
        connection.used -= 1


def _give_up(machine: _Machine, connection: Connection) -> None:
    """Give up a place that was of no use; no more than those that are left will be taken on that connection.

    Their commands go on: sshd refuses one more session at ``MaxSessions``, and where the connection or its peer is
    dead, each of them notices for itself.
    """
    with machine.lock:
        connection.used -= 1
        connection.most = connection.used
        if not connection.used:
            connection.transport.close()


def _no_channel(target: Destination, place: tuple[str, int] | None, error: Exception) -> HostUnreachable:
    if place is not None:
        what = f"{target.host} does not lead to {place[0]} port {place[1]}"
        return HostUnreachable(
            what, detail=str(error), remedy="see whether that host is up, and AllowTcpForwarding"
        )
    what = f"{target.host}: logged in, but no session was opened within {target.timeout:g} s"
    return HostUnreachable(what, detail=str(error) or None, remedy="log in there by hand")


def close_all() -> None:
    """Close every connection; at the end of the process, and for tests."""
    with _lock:
        machines = list(_machines.values())
        _machines.clear()
    for machine in machines:
        for connection in machine.connections:
            connection.transport.close()


atexit.register(close_all)

"""One connection a machine, kept for the process and shared by its threads; a second where sshd takes no more.

A channel is one command. sshd allows a number of them at a time (``MaxSessions``, 10 by default); above ours, or
when it refuses one, another connection is made, so that no command ever waits for another one. Hosts that others
are reached through have a connection of their own for that, which carries any number of them.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterable
from typing import Final

import paramiko

from rmqops.errors import HostKeyUnknown, HostUnreachable
from rmqops.model.topology import Reachable
from rmqops.system import parallel
from rmqops.transport import connection, destination, hostkeys
from rmqops.transport.connection import Connection
from rmqops.transport.destination import Destination

CHANNELS: Final = 8
"""Commands at a time on one connection."""


class _Shared:
    """A connection on which we are logged in, and how many channels it carries."""

    def __init__(self, opened: Connection) -> None:
        self.connection = opened
        self.transport: paramiko.Transport = opened.transport
        self.used = 0
        self.most = CHANNELS

    @property
    def free(self) -> bool:
        """Whether it lives and takes one more channel."""
        return self.transport.is_active() and self.used < self.most


class _Machine:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections: list[_Shared] = []


class Lease:
    """A channel, until it is given back."""

    def __init__(self, machine: _Machine, shared: _Shared, channel: paramiko.Channel) -> None:
        self.channel = channel
        self.transport = shared.transport
        self._machine = machine
        self._shared: _Shared | None = shared

    def give_back(self) -> None:
        """Close the channel and make room for another; may be called again."""
        self.channel.close()
        with self._machine.lock:
            if self._shared is not None:
                self._shared.used -= 1
                self._shared = None


_machines: dict[Destination, _Machine] = {}
_gateways: dict[Destination, Connection] = {}
_lock = threading.Lock()


def lease(target: Destination) -> Lease:
    """Return a channel to a host, for a command.

    Raises:
        HostUnreachable: the host does not answer, or the connection was lost.
        HostKeyUnknown: nobody has vouched for its key.
        HostKeyChanged: its key is not the known one.
        LoginRefused: it does not take our keys.
    """
    with _lock:
        machine = _machines.setdefault(target, _Machine())
    while True:
        shared, fresh = _place(machine, target)
        try:
            channel = shared.transport.open_session(timeout=target.timeout)
        except (paramiko.SSHException, EOFError, OSError) as error:
            _give_up(machine, shared)
            if fresh:
                raise HostUnreachable(
                    f"{target.host}: logged in, but no session was opened within {target.timeout:g} s",
                    detail=str(error) or None,
                    remedy="log in there by hand",
                ) from error
        else:
            return Lease(machine, shared, channel)


def unknown_keys(instances: Iterable[Reachable]) -> tuple[HostKeyUnknown, ...]:
    """Ask every host of which no key is known for its key, all at once; hosts on the way to others as well.

    A host that does not answer is passed over here: whoever needs it will say so.

    Raises:
        HostKeyChanged: a host on the way has another key than the known one.
    """
    remote = [item for item in instances if item.connection != "local"]
    # Each is a process of ssh, and its answer is kept: one for each machine, at once.
    parallel.mapped(destination.of, {item.machine: item for item in remote}.values())
    targets = {destination.of(item): None for item in remote}
    strangers = [target for target in targets if not all(hostkeys.entries(hop) for hop in (*target.jumps, target))]
    keys = parallel.mapped(_key_of_stranger, strangers)
    return tuple({key.name: key for key in keys if key is not None}.values())


def close_all() -> None:
    """Close every connection; at the end of the process, and for tests."""
    with _lock:
        machines = list(_machines.values())
        gateways = list(_gateways.values())
        _machines.clear()
        _gateways.clear()
    for machine in machines:
        for shared in machine.connections:
            shared.connection.close()
    for gateway in reversed(gateways):
        gateway.close()


atexit.register(close_all)


def _connection(target: Destination) -> Connection:
    with _lock:
        return connection.through(target, _gateways)


def _place(machine: _Machine, target: Destination) -> tuple[_Shared, bool]:
    """Take a place on a connection, and tell whether that was made for it; logins to one machine take turns."""
    with machine.lock:
        machine.connections = [item for item in machine.connections if item.used or item.transport.is_active()]
        free = next((item for item in machine.connections if item.free), None)
        if free is not None:
            free.used += 1
            return free, False
        fresh = _connection(target)
        fresh.open()
        shared = _Shared(fresh)
        shared.used = 1
        machine.connections.append(shared)
        return shared, True


def _give_up(machine: _Machine, shared: _Shared) -> None:
    """Give up a place that was of no use; no more than those that are left will be taken on that connection.

    Their commands go on: sshd refuses one more session at ``MaxSessions``, and where the connection or its peer is
    dead, each of them notices for itself.
    """
    with machine.lock:
        shared.used -= 1
        shared.most = shared.used
        if not shared.used:
            shared.connection.close()


def _key_of_stranger(target: Destination) -> HostKeyUnknown | None:
    try:
        _connection(target).greet()
    except HostKeyUnknown as error:
        return error
    except HostUnreachable:
        return None
    return None

"""A fabric connection that reaches a host as OpenSSH would, and verifies it.

fabric gives the gateway, the login and the channels; what it would decide by itself is decided here:

- *Settings* are those that ``ssh -G`` told (:mod:`rmqops.transport.destination`); no configuration of fabric, and
  no ``~/.ssh/config`` by a reader other than OpenSSH's, is loaded.
- *Host keys* are judged by :mod:`rmqops.transport.hostkeys`; fabric alone accepts any.
- *The line*: ``socket.create_connection`` tries every address of a name, where paramiko gives up at the first that
  has no route; a proxy's command is run by a shell, as ssh does it, and its end is noticed, where paramiko's
  ``ProxyCommand`` splits it into words and spins at its end.
- Every step has a time-out, and what goes wrong is told in the errors of rmqops.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import replace
from functools import partial
from typing import Final

import fabric
import paramiko
from paramiko.auth_strategy import AuthFailure

from rmqops.errors import HostUnreachable, PreflightFailed
from rmqops.model.secret import Secret
from rmqops.transport import algorithms, authentication, hostkeys
from rmqops.transport.authentication import KeyStrategy
from rmqops.transport.destination import Destination

KEEPALIVE: Final = 15
"""Seconds."""
SILENCE: Final = 30
"""Seconds after which a peer that acknowledges nothing is given up (``TCP_USER_TIMEOUT``)."""

_HERE: Final = ("127.0.0.1", 0)
"""Where a forwarded connection claims to come from; sshd writes it to its log."""

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its errors are ours to tell


class Connection(fabric.Connection):  # type: ignore[misc] # fabric has no types
    """A connection to a destination, opened when it is first used, and again when it was lost."""

    def __init__(
        self, target: Destination, gateway: Connection | None = None, passphrase: Secret | None = None
    ) -> None:
        strategy = partial(KeyStrategy, target=target, passphrase=passphrase)
        config = fabric.Config(
            lazy=True,
            ssh_config=paramiko.SSHConfig(),
            overrides={"load_ssh_configs": False, "authentication": {"strategy_class": strategy}},
        )
        super().__init__(
            target.address,
            user=target.user,
            port=target.port,
            config=config,
            gateway=target.proxy_command or gateway or False,
            forward_agent=False,
            connect_timeout=target.timeout,
            connect_kwargs={
                "banner_timeout": target.timeout,
                "auth_timeout": 2 * target.timeout,
                "channel_timeout": target.timeout,
                "transport_factory": self._prepared_transport,
            },
        )
        self.original_host = target.host
        # What is no setting is kept from invoke's configuration, which an ordinary assignment would reach.
        self._set(target=target, _opening=threading.Lock())
        self.client.set_missing_host_key_policy(_KnownHostsPolicy(target))

    def _identity(self) -> tuple[object, ...]:
        # Two hosts behind two gateways may have one address.
        way = (hop.host for hop in self.target.jumps)
        return (self.host, self.user, self.port, self.target.proxy_command or "", *way)

    def open(self) -> None:
        """Log in, unless we are; from any thread.

        Raises:
            HostUnreachable: it does not answer, or does not speak ssh.
            HostKeyUnknown: nobody has vouched for its key.
            HostKeyChanged: its key is not the known one.
            LoginRefused: it does not take our keys.
        """
        with self._opening:
            if self.is_connected:
                return
            try:
                self._open()
                self.transport.set_keepalive(KEEPALIVE)
            except BaseException:
                self.client.close()
                raise

    def _open(self) -> None:
        target = self.target
        if not self.gateway:
            self.connect_kwargs["sock"] = _dial(target)
        try:
            super().open()
        except AuthFailure as failure:
            raise authentication.refused(target, failure) from failure
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise HostUnreachable(
                f"{target.host}: accepts connections at {target.address} port {target.port}, but there was no "
                f"ssh key exchange within {target.timeout:g} s",
                detail=str(error) or None,
                remedy="see whether sshd is well there, and whether that is its port",
            ) from error

    def open_gateway(self) -> socket.socket | paramiko.Channel:
        """Return what carries the bytes through a proxy's command or another host.

        Raises:
            HostUnreachable: the gateway is not reached, or does not lead there.
        """
        if isinstance(self.gateway, str):
            return _run_proxy(self.gateway)
        try:
            return self._forwarded()
        except (paramiko.SSHException, EOFError, OSError) as error:
            failure: Exception = error
        if not self.gateway.is_connected:  # it was lost while nobody used it
            try:
                return self._forwarded()
            except (paramiko.SSHException, EOFError, OSError) as error:
                failure = error
        raise HostUnreachable(
            f"{self.gateway.original_host} does not lead to {self.host} port {self.port}",
            detail=str(failure),
            remedy="see whether that host is up, and AllowTcpForwarding",
        ) from failure

    def _forwarded(self) -> paramiko.Channel:
        self.gateway.open()
        transport: paramiko.Transport = self.gateway.transport
        place = (self.host, self.port)
        return transport.open_channel("direct-tcpip", place, _HERE, timeout=self.target.timeout)

    def greet(self) -> None:
        """Go as far as the host's key, verify it, and hang up.

        Raises:
            HostUnreachable: it does not answer, or does not speak ssh.
            HostKeyUnknown: nobody has vouched for its key.
            HostKeyChanged: its key is not the known one.
        """
        self.client.set_missing_host_key_policy(_HangUpPolicy(self.target))
        try:
            self.open()
        except _HungUp:
            return

    def _prepared_transport(
        self, line: socket.socket | paramiko.Channel, disabled_algorithms: Mapping[str, Iterable[str]] | None
    ) -> paramiko.Transport:
        """Return the transport over a line; what SSHClient has no argument for."""
        try:
            transport = paramiko.Transport(line, disabled_algorithms=disabled_algorithms)
            transport.handshake_timeout = self.target.timeout
            algorithms.hold(transport, self.target)
            _prefer_known(transport, self.target)
        except BaseException:
            line.close()
            raise
        return transport


class _KnownHostsPolicy(paramiko.MissingHostKeyPolicy):
    """Judges every key: the client itself is given none to know."""

    def __init__(self, target: Destination) -> None:
        self._target = target

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if reason := algorithms.too_short(key, self._target.algorithms):
            raise PreflightFailed(
                f"{self._target.host}: its host key {reason}", remedy="give the host a key that is long enough"
            )
        hostkeys.verify(self._target, key.get_name(), key.get_base64(), key.asbytes())


class _HungUp(Exception):
    """A host's key was good, and nothing else was asked."""


class _HangUpPolicy(_KnownHostsPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        super().missing_host_key(client, hostname, key)
        raise _HungUp


def through(
    target: Destination, gateways: MutableMapping[Destination, Connection], passphrase: Secret | None = None
) -> Connection:
    """Return a connection, not opened yet, that goes through the gateways it needs.

    Args:
        target: The host.
        gateways: Those that are there, shared by all that go through them; new ones are added, the nearest first.
        passphrase: What opens a key that has one; None to leave that to the agent.
    """
    if not target.jumps:
        return Connection(target, None, passphrase)
    *nearer, last = target.jumps
    hop = replace(last, jumps=tuple(nearer))
    if hop not in gateways:
        gateway = through(hop, gateways, passphrase)
        gateways[hop] = gateway
    return Connection(target, gateways[hop], passphrase)


def _dial(target: Destination) -> socket.socket:
    try:
        line = _connected(target)
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, TimeoutError):
            reason = f"no answer within {target.timeout:g} s"
        raise HostUnreachable(
            f"{target.host}: no connection to {target.address} port {target.port}: {reason}",
            remedy="see whether the host is up, its address right, and port reachable from here",
        ) from error
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)
    return line


def _connected(target: Destination) -> socket.socket:
    """Connect to the first address of a host that answers, of its family and from the address that ssh would."""
    source = (target.bind, 0) if target.bind else None
    if target.family == socket.AF_UNSPEC:
        return socket.create_connection((target.address, target.port), target.timeout, source)
    failure = OSError("the name has no address")
    for *_, address in socket.getaddrinfo(target.address, target.port, target.family, socket.SOCK_STREAM):
        try:
            return socket.create_connection((str(address[0]), target.port), target.timeout, source)
        except OSError as error:
            failure = error
    raise failure


def _run_proxy(command: str) -> socket.socket:
    """Start a proxy's command as ssh does: by a shell, with a socket for its input and output."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # it ends when our end of the socket is closed
    return ours


def _prefer_known(transport: paramiko.Transport, target: Destination) -> None:
    """Ask for a key of a type that is known, as ssh does; else a host with several keys would seem changed."""
    known = [
        name
        for entry in hostkeys.entries(target)
        if not entry.revoked
        for name in algorithms.RSA.get(entry.key_type, (entry.key_type,))
    ]
    options = transport.get_security_options()
    offered = tuple(options.key_types)
    first = [name for name in dict.fromkeys(known) if name in offered]
    options.key_types = (*first, *(name for name in offered if name not in first))

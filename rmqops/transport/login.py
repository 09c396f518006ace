"""Log in: TCP or what leads to it, key exchange, the host's key, then ours. Each step has a time-out.

Keys are tried in this order: the files that ssh's configuration or the inventory names (a passphrase is left to
the agent), then the agent's others unless ``IdentitiesOnly``. OpenSSH asks the agent first; files first spares a
host that ends the connection after six attempts the keys that are for other hosts.
"""

from __future__ import annotations

import base64
import logging
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import paramiko
from paramiko.agent import AgentSSH

from rmqops.errors import HostUnreachable, LoginRefused
from rmqops.transport import hostkeys
from rmqops.transport.destination import Destination

KEEPALIVE: Final = 15
"""Seconds."""
SILENCE: Final = 30
"""Seconds after which a peer that acknowledges nothing is given up (``TCP_USER_TIMEOUT``)."""

_ALGORITHMS: Final = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its errors are ours to tell


class _Agent(AgentSSH):
    """The agent behind a socket."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SILENCE)
        try:
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Let go of the agent."""
        self._close()  # type: ignore[attr-defined]


def connect(target: Destination) -> paramiko.Transport:
    """Return a connection to a host on which we are logged in.

    Raises:
        HostUnreachable: it does not answer, or does not speak ssh.
        HostKeyUnknown: nobody has vouched for its key.
        HostKeyChanged: its key is not the known one.
        LoginRefused: it does not take our keys.
    """
    transport = _greeted(target)
    try:
        _authenticate(transport, target)
        transport.set_keepalive(KEEPALIVE)
    except BaseException:
        transport.close()
        raise
    return transport


def greet(target: Destination) -> None:
    """Go as far as the host's key, and verify it.

    Raises:
        HostUnreachable: it does not answer, or does not speak ssh.
        HostKeyUnknown: nobody has vouched for its key.
        HostKeyChanged: its key is not the known one.
    """
    _greeted(target).close()


def _greeted(target: Destination) -> paramiko.Transport:
    line = _line(target)
    try:
        transport = paramiko.Transport(line)
    except BaseException:
        line.close()
        raise
    try:
        transport.banner_timeout = transport.handshake_timeout = target.timeout
        transport.auth_timeout = 2 * target.timeout
        _prefer_known(transport, target)
        try:
            transport.start_client(timeout=target.timeout)
            key = transport.get_remote_server_key()  # raises when the time is up
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise HostUnreachable(
                f"{target.host}: accepts connections at {target.address} port {target.port}, but there was no "
                f"ssh key exchange within {target.timeout:g} s",
                detail=str(error) or None,
                remedy="see whether sshd is well there, and whether that is its port",
            ) from error
        hostkeys.verify(target, key.get_name(), key.get_base64(), key.asbytes())
    except BaseException:
        transport.close()
        raise
    return transport


def _line(target: Destination) -> socket.socket | paramiko.Channel:
    """Return what carries the bytes: a proxy's command, a channel through other hosts, or a TCP connection."""
    if target.proxy_command:
        return _proxy(target.proxy_command)
    if target.jumps:
        return _through(target)
    try:
        line = socket.create_connection((target.address, target.port), timeout=target.timeout)
    except OSError as error:
        raise HostUnreachable(
            f"{target.host}: no connection to {target.address} port {target.port}: {_reason(error, target)}",
            remedy="see whether the host is up, its address right, and port reachable from here",
        ) from error
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)
    return line


def _proxy(command: str) -> socket.socket:
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


def _through(target: Destination) -> paramiko.Channel:
    from rmqops.transport import connections

    *nearer, last = target.jumps
    # The lease is for the life of the process, as the connection that it carries.
    return connections.lease(replace(last, jumps=tuple(nearer)), (target.address, target.port)).channel


def _reason(error: OSError, target: Destination) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {target.timeout:g} s"
    return error.strerror or str(error)


def _prefer_known(transport: paramiko.Transport, target: Destination) -> None:
    """Ask for a key of a type that is known, as ssh does; else a host with several keys would seem changed."""
    known = [
        name
        for entry in hostkeys.entries(target)
        if not entry.revoked
        for name in _ALGORITHMS.get(entry.key_type, (entry.key_type,))
    ]
    options = transport.get_security_options()
    offered = tuple(options.key_types)
    first = [name for name in dict.fromkeys(known) if name in offered]
    options.key_types = (*first, *(name for name in offered if name not in first))


def _authenticate(transport: paramiko.Transport, target: Destination) -> None:
    agent = _agent(target)
    notes: list[str] = []
    try:
        for what, key in _keys(target, agent, notes):
            try:
                left = transport.auth_publickey(target.user, key)
            except paramiko.BadAuthenticationType as error:
                notes.append(f"the host takes {', '.join(error.allowed_types)} only, and no key")
                break
            except paramiko.AuthenticationException:
                notes.append(f"{what}: refused")
            except (paramiko.SSHException, EOFError, OSError) as error:
                if not transport.is_active():
                    notes.append(f"{what}: the host ended the connection ({error})")
                    break
                notes.append(f"{what}: {error}")
            else:
                if not left:
                    return
                notes.append(f"{what}: accepted, but the host wants {', '.join(left)} as well")
    finally:
        if agent is not None:
            agent.close()
    raise LoginRefused(
        f"{target.host}: {target.user} cannot log in with the keys at hand",
        detail="\n".join(notes) or "there is no key: no file, no agent",
        remedy="set ansible_user and ansible_ssh_private_key_file, or ssh-add the key",
    )


def _agent(target: Destination) -> _Agent | None:
    if target.agent is None:
        return None
    try:
        return _Agent(target.agent)
    except (OSError, paramiko.SSHException, EOFError):
        return None


def _keys(target: Destination, agent: _Agent | None, notes: list[str]) -> Iterator[tuple[str, paramiko.PKey]]:
    held = {key.asbytes(): key for key in agent.get_keys()} if agent else {}
    used = set()
    for path in target.identities:
        if not Path(path).is_file():
            continue
        try:
            key = paramiko.PKey.from_path(path)
        except (TypeError, paramiko.PasswordRequiredException):
            public = _public(path)
            if public not in held:
                notes.append(f"{path}: has a passphrase; ssh-add it")
                continue
            used.add(public)
            yield path, held[public]
        except (ValueError, OSError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
            notes.append(f"{path}: cannot be read as a private key ({error})")
        else:
            used.add(key.asbytes())
            yield path, key
    if not target.identities_only:
        yield from ((f"agent key {key.get_name()}", key) for blob, key in held.items() if blob not in used)


def _public(path: str) -> bytes:
    try:
        return base64.b64decode(Path(f"{path}.pub").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return b""

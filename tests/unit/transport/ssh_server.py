"""An ssh server of paramiko's in this process: what a host may say at a login, and it runs nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_FAILED_RESOURCE_SHORTAGE, OPEN_SUCCEEDED

from rmqops.transport.destination import Destination


@dataclass
class Host(paramiko.ServerInterface):
    """What the server lets in and does, and what it has seen."""

    accepted: bytes
    """The public key that it lets in."""
    answer: int = AUTH_SUCCESSFUL
    """What it answers to that key."""
    methods: str = "publickey"
    sessions: int = 10
    """How many one connection may have."""
    key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)
    tried: list[bytes] = field(default_factory=list)
    """The keys that it was offered."""
    lines: list[paramiko.Transport] = field(default_factory=list)
    """Every connection that was made to it."""

    def get_allowed_auths(self, username: str) -> str:
        return self.methods

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.tried.append(key.asbytes())
        return self.answer if key.asbytes() == self.accepted else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        full = len(self.lines[-1]._channels) >= self.sessions  # type: ignore[attr-defined]
        return OPEN_FAILED_RESOURCE_SHORTAGE if full else OPEN_SUCCEEDED


@contextmanager
def serving(host: Host) -> Iterator[int]:
    """Serve on a loopback port while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    transport = paramiko.Transport(line)
                    transport.add_server_key(host.key)
                    host.lines.append(transport)
                    with suppress(paramiko.SSHException, EOFError, OSError):  # the client has hung up
                        transport.start_server(server=host)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for transport in host.lines:
                transport.close()


def target(port: int, directory: Path, *identities: Path, **changes: object) -> Destination:
    """Return the way to a server, whose known_hosts file is in a directory."""
    settings: dict[str, object] = {
        "host": f"127.0.0.1:{port}",
        "address": "127.0.0.1",
        "port": port,
        "user": "operator",
        "known_name": f"[127.0.0.1]:{port}",
        "known_hosts": (str(directory / "known_hosts"),),
        "strict": "ask",
        "identities": tuple(map(str, identities)),
        "agent": None,
        "certificates": (),
        "identities_only": True,
        "proxy_command": None,
        "jumps": (),
        **changes,
    }
    return Destination(**settings)  # type: ignore[arg-type]


def trust(directory: Path, port: int, key: paramiko.PKey) -> None:
    """Vouch for a server's key."""
    line = f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n"
    (directory / "known_hosts").write_text(line)

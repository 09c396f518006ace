"""Whether a host answers: its sshd's greeting, and a login."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from rmqops.errors import OperationFailed
from rmqops.lab.layout import Access
from rmqops.lab.parallel import each
from rmqops.model.commands import Command
from rmqops.transport.local import LocalTransport

SSH_PORT: Final = 22
AT_ONCE: Final = 16
_PAUSE: Final = 0.1


def greets(address: str, timeout: float = 2.0) -> bool:
    """Tell whether an sshd greets at an address (RFC 4253, 4.2)."""
    try:
        with socket.create_connection((address, SSH_PORT), timeout) as connection:
            connection.settimeout(timeout)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def wait(access: Access, hosts: Sequence[str], seconds: float) -> None:
    """Wait until each host lets us in, its key being the one we made.

    Raises:
        OperationFailed: one did not in time; says what ssh said last.
    """
    deadline = time.monotonic() + seconds
    each([partial(_wait, access, host, deadline) for host in hosts], AT_ONCE)


def _wait(access: Access, host: str, deadline: float) -> None:
    said = "no sshd has answered"
    while True:
        if greets(access.addresses[host]):
            # A host that is booting lets nobody in yet (pam_nologin), so a refusal is asked again.
            try:
                done = LocalTransport().run(Command(access.ssh(host, "true")))
            except OperationFailed as error:
                said = error.message
            else:
                if done.ok:
                    return
                said = done.stderr.strip()
        if time.monotonic() > deadline:
            raise OperationFailed(
                f"{host} ({access.addresses[host]}) does not let us in",
                detail=said,
                remedy="see rmqops lab status",
            )
        time.sleep(_PAUSE)

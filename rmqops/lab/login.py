"""Whether a host answers: its sshd's greeting, and a login."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from rmqops.errors import OperationFailed
from rmqops.lab.layout import Access
from rmqops.model.commands import Command
from rmqops.system.parallel import each
from rmqops.transport.local import LocalTransport

SSH_PORT: Final = 22
AT_ONCE: Final = 16
_PAUSE: Final = 0.1
_SILENT: Final = 5.0


def greets(address: str, timeout: float = 2.0) -> bool:
    """Tell whether an sshd greets at an address (RFC 4253, 4.2)."""
    try:
        with socket.create_connection((address, SSH_PORT), timeout) as connection:
            connection.settimeout(timeout)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def wait(access: Access, hosts: Sequence[str], seconds: float, dead: Callable[[str], str | None]) -> None:
    """Wait until each host lets us in, its key being the one we made.

    Args:
        access: How they are reached.
        hosts: Their names.
        seconds: The bound.
        dead: Says why a host will never answer, if it will not; asked of those that are silent for long.

    Raises:
        OperationFailed: one did not in time, or is dead; with what was seen last.
    """
    deadline = time.monotonic() + seconds
    each([partial(_wait, access, host, deadline, dead) for host in hosts], AT_ONCE)


def _wait(access: Access, host: str, deadline: float, dead: Callable[[str], str | None]) -> None:
    said: str | None = "no sshd has answered"
    ask_again = time.monotonic() + _SILENT
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
        now = time.monotonic()
        why = None
        if now > ask_again:
            why = dead(host)
            ask_again = now + _SILENT
        if why or now > deadline:
            address = access.addresses[host]
            raise OperationFailed(
                f"{host} ({address}) does not let us in", detail=why or said, remedy="see rmqops lab status"
            )
        time.sleep(_PAUSE)

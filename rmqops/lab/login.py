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
from rmqops.system.waiting import until_sync
from rmqops.transport.local import LocalTransport

SSH_PORT: Final = 22
AT_ONCE: Final = 16
_SILENT: Final = 5.0
"""Seconds of silence after which it is asked whether a host is dead, and from one such question to the next."""


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
        seconds: The bound, for all of them together.
        dead: Says why a host will never answer, if it will not; asked of those that are silent for long.

    Raises:
        OperationFailed: one did not in time, or is dead; with what was seen last.
    """
    deadline = time.monotonic() + seconds
    each([partial(_wait, access, host, deadline, dead) for host in hosts], AT_ONCE)


def _wait(access: Access, host: str, deadline: float, dead: Callable[[str], str | None]) -> None:
    ask_again = time.monotonic() + _SILENT
    last_words: str | None = None

    def look() -> str | None:
        nonlocal ask_again, last_words
        obstacle = _obstacle(access, host)
        if obstacle and time.monotonic() > ask_again:
            last_words = dead(host)
            ask_again = time.monotonic() + _SILENT
        return None if last_words else obstacle

    try:
        until_sync(f"a login on {host}", look, max(0.0, deadline - time.monotonic()))
    except OperationFailed as error:
        last_words = error.message
    if last_words:
        address = access.addresses[host]
        raise OperationFailed(
            f"{host} ({address}) does not let us in", detail=last_words, remedy="see rmqops lab status"
        )


def _obstacle(access: Access, host: str) -> str | None:
    """Return why a host does not let us in; None when it does."""
    if not greets(access.addresses[host]):
        return "no sshd answers"
    try:
        done = LocalTransport().run(Command(access.ssh(host, "true")))
    except OperationFailed as error:
        return error.message
    # A host that is booting lets nobody in yet (pam_nologin), so a refusal is asked again.
    return None if done.ok else done.stderr.strip() or f"ssh exited with {done.code}"

"""When a host counts as up: an sshd that greets and a login that works; ``ssh`` is a program of the test's own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed
from rmqops.lab import login
from rmqops.lab.layout import Access

HOST = "lab-1"
BOOTS = """#!/bin/sh
echo "$@" >> "$0.log"
[ "$(wc -l < "$0.log")" -gt {refusals} ] && exit 0
echo "System is booting up." >&2
exit 255
"""


@contextmanager
def listener(monkeypatch: pytest.MonkeyPatch, greeting: bytes) -> Iterator[None]:
    """Listen here in place of every host's sshd."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(login, "SSH_PORT", server.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # the test is over
                    return
                with connection:
                    connection.sendall(greeting)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access({HOST: "127.0.0.1"}, tmp_path / "key", tmp_path / "known_hosts")


def ssh(directory: Path, monkeypatch: pytest.MonkeyPatch, refusals: int) -> Path:
    """Put a program ``ssh`` first that refuses so many logins; return where it notes them."""
    program = directory / "ssh"
    program.write_text(BOOTS.format(refusals=refusals))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return Path(f"{program}.log")


@pytest.mark.parametrize(
    ("greeting", "greets"), [(b"SSH-2.0-x\r\n", True), (b"220 mail\r\n", False), (b"", False)]
)
def test_an_sshd_is_known_by_its_greeting(greeting: bytes, greets: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with listener(monkeypatch, greeting):
        assert login.greets("127.0.0.1") == greets


def test_a_host_that_is_not_there_does_not_greet(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(login, "SSH_PORT", port)
    assert not login.greets("127.0.0.1")


def test_a_host_that_boots_is_asked_until_it_lets_us_in(
    access: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ssh(tmp_path, monkeypatch, refusals=2)
    with listener(monkeypatch, b"SSH-2.0-x\r\n"):
        login.wait(access, [HOST], 30, lambda _: "dead")
    logins = log.read_text().splitlines()
    assert len(logins) == 3
    assert {line.split()[-3] for line in logins} == {"ops@127.0.0.1"}


def test_a_host_that_refuses_too_long_is_named_with_what_it_said_last(
    access: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh(tmp_path, monkeypatch, refusals=10_000)
    with listener(monkeypatch, b"SSH-2.0-x\r\n"), pytest.raises(OperationFailed) as caught:
        login.wait(access, [HOST], 0.3, lambda _: None)
    assert "lab-1 (127.0.0.1) does not let us in" in caught.value.message
    assert "System is booting up." in str(caught.value.detail)


def test_a_dead_host_is_not_waited_for(access: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_SILENT", 0.0)
    with listener(monkeypatch, b""), pytest.raises(OperationFailed) as caught:
        login.wait(access, [HOST], 600, lambda host: f"{host} has stopped; no init")
    assert caught.value.detail == "lab-1 has stopped; no init"

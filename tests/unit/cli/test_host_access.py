"""Host keys are shown together and asked for once."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest

from rmqops.cli import host_access, output
from rmqops.errors import HostKeyUnknown, PreflightFailed, UsageError
from rmqops.model.topology import Topology
from rmqops.transport import hostkeys, pool, privilege
from tests.support.instances import topology

KEYS = tuple(
    HostKeyUnknown(
        f"10.0.0.{n}", name=f"10.0.0.{n}", key_type="ssh-ed25519", fingerprint=f"SHA256:{n}", key="k", file="f"
    )
    for n in range(3)
)


@pytest.fixture
def remote() -> Topology:
    made = topology()
    return replace(made, nameservers=tuple(replace(item, connection="ssh") for item in made.nameservers))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let three hosts be unknown until their keys are written; return what is."""
    lines: list[str] = []
    monkeypatch.setattr(pool, "unknown_keys", lambda _: () if lines else KEYS)
    monkeypatch.setattr(hostkeys, "append", lambda keys: lines.extend(key.host for key in keys))
    return lines


def test_asked_once(
    remote: Topology, written: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions: list[str] = []

    def confirm(text: str) -> bool:
        questions.append(text)
        return True

    monkeypatch.setattr(output, "confirm", confirm)
    host_access.trust(remote)
    assert len(questions) == 1
    assert written == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(key.fingerprint in shown.err for key in KEYS)


def test_without_a_terminal(remote: Topology, written: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(PreflightFailed, match="3 hosts nobody has vouched for") as caught:
        host_access.trust(remote)
    assert "10.0.0.1: ssh-ed25519 SHA256:1" in str(caught.value.detail)
    assert "--accept-new-host-keys" in str(caught.value.remedy)
    assert written == []
    host_access.trust(remote, accept=True)
    assert len(written) == 3


def test_strict_checking_asks_nobody(remote: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    strict = HostKeyUnknown("h", name="h", key_type="t", fingerprint="F", key="k", file="f", askable=False)
    monkeypatch.setattr(pool, "unknown_keys", lambda _: (strict,))
    with pytest.raises(HostKeyUnknown, match="StrictHostKeyChecking"):
        host_access.trust(remote, accept=True)


def test_a_local_cluster_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "unknown_keys", lambda _: KEYS)
    host_access.trust(topology())


def test_the_password_is_read_from_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "_asked", [])
    monkeypatch.setattr(sys, "stdin", io.StringIO("s3cret\n"))
    host_access.prepare(topology(), accept_new=False, ask_become_pass=True)
    found = privilege.remembered()
    assert found is not None
    assert found.reveal() == "s3cret"
    with pytest.raises(UsageError, match="no password was given"):
        host_access.prepare(topology(), accept_new=False, ask_become_pass=True)


def test_a_password_that_is_no_text_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def typed(prompt: str, *, stream: object) -> str:
        return b"caf\xe9".decode("utf-8")

    monkeypatch.setattr("getpass.getpass", typed)
    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(UsageError, match="no text in utf-8"):
        host_access.prepare(topology(), accept_new=False, ask_become_pass=True)


class Terminal(io.StringIO):
    """Standard input that somebody sits at."""

    def isatty(self) -> bool:
        return True

"""Host keys in files: whom they know, what is written, and where nothing can be."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from rmqops.errors import HostKeyChanged, HostKeyUnknown, PreflightFailed
from rmqops.transport import hostkeys
from tests.unit.transport.ssh_server import target

BLOB = b"the key of a host"
KEY = base64.b64encode(BLOB).decode()
OTHER = base64.b64encode(b"another key").decode()


def verify(tmp_path: Path, **changes: object) -> None:
    hostkeys.verify(target(2222, tmp_path, **changes), "ssh-ed25519", KEY, BLOB)


def test_an_unknown_key_is_written_once_and_known_then(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("other ssh-ed25519 AAAA")
    with pytest.raises(HostKeyUnknown) as caught:
        verify(tmp_path)
    assert caught.value.askable
    hostkeys.append([caught.value, caught.value])
    hostkeys.append([caught.value])
    assert file.read_text() == f"other ssh-ed25519 AAAA\n[127.0.0.1]:2222 ssh-ed25519 {KEY}\n"
    verify(tmp_path)


def test_strict_checking(tmp_path: Path) -> None:
    with pytest.raises(HostKeyUnknown) as caught:
        verify(tmp_path, strict="yes")
    assert not caught.value.askable
    verify(tmp_path, strict="accept-new")
    verify(tmp_path, strict="yes")


@pytest.mark.parametrize("strict", ["yes", "ask", "accept-new"])
@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"[127.0.0.1]:2222 ssh-ed25519 {OTHER}", "has CHANGED"),
        (f"@revoked * ssh-ed25519 {KEY}", "is revoked"),
    ],
)
def test_a_changed_or_revoked_key_is_always_refused(tmp_path: Path, strict: str, line: str, says: str) -> None:
    (tmp_path / "known_hosts").write_text(f"\n{line}\n")
    with pytest.raises(HostKeyChanged, match=says) as caught:
        verify(tmp_path, strict=strict)
    assert f"{tmp_path / 'known_hosts'}:2" in str(caught.value)
    assert (tmp_path / "known_hosts").read_text() == f"\n{line}\n"


@pytest.mark.parametrize("strict", ["ask", "accept-new"])
def test_where_ssh_keeps_no_keys(tmp_path: Path, strict: str) -> None:
    with pytest.raises(PreflightFailed, match="UserKnownHostsFile: /dev/null is not a file") as caught:
        verify(tmp_path, known_hosts=("/dev/null",), strict=strict)
    assert not isinstance(caught.value, HostKeyUnknown)
    assert "UserKnownHostsFile=FILE" in str(caught.value.remedy)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightFailed, match="cannot be"):
        verify(tmp_path, known_hosts=(str(tmp_path / "file" / "known_hosts"),), strict="accept-new")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_no_key_is_written_where_it_is_trusted_for_others(tmp_path: Path) -> None:
    """A global file, by its own name or through a link, and another user's, there or not."""
    shared = tmp_path / "ssh_known_hosts"
    shared.write_text("")
    (tmp_path / "link").symlink_to(shared)
    theirs = tmp_path / "home"
    theirs.mkdir()
    (theirs / "known_hosts").write_text("")
    os.chown(theirs / "known_hosts", 4242, 4242)
    os.chown(theirs, 4242, 4242)
    refused = [shared, tmp_path / "link", theirs / "known_hosts", theirs / ".ssh" / "known_hosts"]
    for file in refused:
        with pytest.raises(PreflightFailed, match="UserKnownHostsFile: ") as caught:
            verify(
                tmp_path, known_hosts=(str(file), str(shared)), shared_hosts=(str(shared),), strict="accept-new"
            )
        assert not isinstance(caught.value, HostKeyUnknown)
    assert shared.read_text() == (theirs / "known_hosts").read_text() == ""
    assert not (theirs / ".ssh").exists()
    mine = tmp_path / "mine"
    files = (*map(str, refused), str(mine), str(shared))
    verify(tmp_path, known_hosts=files, shared_hosts=(str(shared),), strict="accept-new")
    assert KEY in mine.read_text()

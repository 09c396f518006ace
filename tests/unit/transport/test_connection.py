"""A login on a fabric connection: whose key is taken, what is offered, and every way it may fail."""

from __future__ import annotations

import base64
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_PARTIALLY_SUCCESSFUL

from rmqops.errors import HostKeyChanged, HostKeyUnknown, HostUnreachable, LoginRefused
from rmqops.model.secret import Secret
from rmqops.transport import connection
from rmqops.transport.connection import Connection
from tests.unit.transport.ssh_server import Host, serving, target, trust


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two private keys; the first is the one that is let in."""
    directory = tmp_path_factory.mktemp("keys")
    paths = directory / "id", directory / "other"
    for path in paths:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return paths


@pytest.fixture
def host(keys: tuple[Path, Path]) -> Host:
    return Host(public(keys[0]))


@pytest.fixture
def port(host: Host, tmp_path: Path) -> Iterator[int]:
    with serving(host) as number:
        trust(tmp_path, number, host.key)
        yield number


def public(path: Path) -> bytes:
    return paramiko.PKey.from_path(path).asbytes()


def test_a_login_and_a_session(port: int, tmp_path: Path, keys: tuple[Path, Path], host: Host) -> None:
    with Connection(target(port, tmp_path, keys[1], keys[0])) as opened:
        opened.open()
        first = opened.transport
        opened.open()
        assert opened.transport is first
        assert opened.create_session().active
        assert dict.fromkeys(host.tried) == dict.fromkeys([public(keys[1]), public(keys[0])])
        first.close()
        opened.open()
        assert opened.is_connected
    assert not opened.is_connected
    assert len(host.lines) == 2


def test_nothing_of_fabrics_or_ssh_s_own_configuration_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FABRIC_USER", "stranger")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(
        "Host *\n ProxyJump elsewhere\n User stranger\n HostName elsewhere\n"
    )
    (tmp_path / ".fabric.yaml").write_text("user: stranger\ngateway: elsewhere\n")
    made = Connection(target(4, tmp_path))
    assert (made.host, made.user, made.port, made.gateway) == ("127.0.0.1", "operator", 4, False)
    assert not isinstance(made.client._policy, paramiko.AutoAddPolicy)


def test_an_unknown_key_ends_the_login_before_a_key_is_offered(
    port: int, tmp_path: Path, keys: tuple[Path, Path], host: Host
) -> None:
    (tmp_path / "known_hosts").write_text("")
    opened = Connection(target(port, tmp_path, keys[0]))
    for act in (opened.open, opened.greet):
        with pytest.raises(HostKeyUnknown) as caught:
            act()
        assert caught.value.key == host.key.get_base64()
    trust(tmp_path, port, paramiko.ECDSAKey.generate())
    with pytest.raises(HostKeyChanged):
        opened.open()
    assert host.tried == []
    assert not opened.is_connected


def test_a_greeting_offers_no_key(port: int, tmp_path: Path, keys: tuple[Path, Path], host: Host) -> None:
    Connection(target(port, tmp_path, keys[0])).greet()
    assert host.tried == []


def test_a_key_that_is_not_enough(port: int, tmp_path: Path, keys: tuple[Path, Path], host: Host) -> None:
    host.answer, host.methods = AUTH_PARTIALLY_SUCCESSFUL, "publickey,password"
    with pytest.raises(LoginRefused) as caught:
        Connection(target(port, tmp_path, keys[0])).open()
    assert f"{keys[0]}: accepted, but the host wants publickey, password as well" in str(caught.value.detail)


def test_a_host_that_takes_no_keys(port: int, tmp_path: Path, keys: tuple[Path, Path], host: Host) -> None:
    host.accepted, host.methods = b"", "password"
    with pytest.raises(LoginRefused) as caught:
        Connection(target(port, tmp_path, *keys)).open()
    assert caught.value.detail == "the host takes password only, and no key"
    assert dict.fromkeys(host.tried) == {public(keys[0]): None}, "the second is not tried any more"


def test_no_key_at_all(port: int, tmp_path: Path) -> None:
    with pytest.raises(LoginRefused) as caught:
        Connection(target(port, tmp_path, tmp_path / "none")).open()
    assert caught.value.detail == "there is no key: no file, no agent"


def security_key(path: Path) -> Path:
    """Write what ssh-keygen -t ed25519-sk writes, less the device."""

    def text(value: bytes) -> bytes:
        return struct.pack(">I", len(value)) + value

    kind = b"sk-ssh-ed25519@openssh.com"
    blob = text(kind) + text(bytes(32)) + text(b"ssh:")
    private = bytes(8) + blob + b"\x01" + text(b"handle") + text(b"") + text(b"comment")
    private += bytes(range(1, 1 + -len(private) % 8))
    whole = b"openssh-key-v1\0" + text(b"none") + text(b"none") + text(b"") + struct.pack(">I", 1)
    body = base64.b64encode(whole + text(blob) + text(private)).decode()
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
    return path


def test_keys_that_cannot_be_used_are_named(port: int, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    locked, broken = tmp_path / "locked", tmp_path / "broken"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", str(locked)], check=True)
    broken.write_text("no key\n")
    device = security_key(tmp_path / "device")
    with pytest.raises(LoginRefused) as caught:
        Connection(target(port, tmp_path, locked, device, broken)).open()
    reasons = str(caught.value.detail).splitlines()
    assert reasons[0] == f"{locked}: has a passphrase; ssh-add it"
    assert reasons[1].startswith(f"{device}: is of a kind that only ssh and its agent can use")
    assert reasons[2].startswith(f"{broken}: cannot be read as a private key (")
    assert caught.value.remedy == f"ssh-add {locked}, and run this again"


def test_a_passphrase_that_is_handed_in(port: int, tmp_path: Path, keys: tuple[Path, Path], host: Host) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(keys[0].read_bytes())
    locked.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "passphrase", "-f", str(locked)], check=True)
    with Connection(target(port, tmp_path, locked), passphrase=Secret("passphrase")) as opened:
        opened.open()
    with pytest.raises(LoginRefused, match="cannot log in") as caught:
        Connection(target(port, tmp_path, locked), passphrase=Secret("wr0ng")).open()
    assert "or not with this passphrase" in str(caught.value.detail)
    assert "wr0ng" not in str(caught.value.detail)


def test_a_proxys_command_is_run_by_a_shell(port: int, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    relay = tmp_path / "relay"
    relay.write_text(RELAY)
    command = f"PORT={port} '{sys.executable}' '{relay}' 2> /dev/null"
    with Connection(target(port, tmp_path, keys[0], proxy_command=f'sh -c "{command}"')) as opened:
        opened.open()
        assert opened.is_connected
    with pytest.raises(HostUnreachable, match="no ssh key exchange"):
        Connection(target(port, tmp_path, keys[0], proxy_command="true")).open()


RELAY = """
import os, select, socket
line = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
while True:
    for ready in select.select([0, line], [], [])[0]:
        data = os.read(0, 65536) if ready == 0 else line.recv(65536)
        if not data:
            raise SystemExit
        line.sendall(data) if ready == 0 else os.write(1, data)
"""


def test_a_host_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))  # bound, and nobody listens
        with pytest.raises(HostUnreachable, match="Connection refused"):
            Connection(target(placeholder.getsockname()[1], tmp_path)).open()


def test_gateways_are_shared_and_hosts_behind_two_are_two(tmp_path: Path) -> None:
    near, far = target(1, tmp_path), target(2, tmp_path)
    gateways: dict[object, Connection] = {}
    inner = [
        connection.through(target(3, tmp_path, jumps=jumps), gateways)  # type: ignore[arg-type]
        for jumps in ((near,), (near,), (near, far))
    ]
    assert inner[0].gateway is inner[1].gateway
    assert inner[2].gateway.gateway is inner[0].gateway
    assert [gateway.port for gateway in gateways.values()] == [1, 2]
    assert inner[0] == inner[1]
    assert len({*inner}) == 2
    assert sorted(inner)[0].port == 3

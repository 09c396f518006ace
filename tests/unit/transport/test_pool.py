"""Channels of shared connections: how many one takes, and what becomes of a connection that was lost."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from rmqops.errors import HostUnreachable
from rmqops.transport import pool
from rmqops.transport.destination import Destination
from tests.unit.transport.ssh_server import Host, serving, target, trust


@pytest.fixture
def host(tmp_path: Path) -> Host:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    return Host(paramiko.PKey.from_path(tmp_path / "id").asbytes())


@pytest.fixture
def way(host: Host, tmp_path: Path) -> Iterator[Destination]:
    with serving(host) as port:
        trust(tmp_path, port, host.key)
        yield target(port, tmp_path, tmp_path / "id")
        pool.close_all()


def test_a_connection_is_shared_up_to_its_channels(way: Destination, host: Host) -> None:
    leases = [pool.lease(way) for _ in range(pool.CHANNELS)]
    assert len({lease.transport for lease in leases}) == 1
    another = pool.lease(way)
    assert another.transport is not leases[0].transport
    leases[0].give_back()
    leases[0].give_back()
    again = [pool.lease(way) for _ in range(2)]
    assert [lease.transport for lease in again] == [leases[1].transport, another.transport]
    assert len(host.lines) == 2


def test_a_host_that_takes_fewer_gets_another_connection(way: Destination, host: Host) -> None:
    host.sessions = 1
    first, second = pool.lease(way), pool.lease(way)
    assert first.transport is not second.transport
    host.sessions = 0
    with pytest.raises(HostUnreachable, match="logged in, but no session was opened"):
        pool.lease(way)


def test_a_connection_that_was_lost_is_made_anew(way: Destination, host: Host) -> None:
    first = pool.lease(way)
    first.give_back()
    first.transport.close()
    second = pool.lease(way)
    assert second.transport is not first.transport
    assert second.transport.is_active()


def test_closing_closes_all(way: Destination) -> None:
    lease = pool.lease(way)
    pool.close_all()
    assert not lease.transport.is_active()
    lease.give_back()

"""The transport over ssh, its factory, and the group for operators: what needs no command on a host."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

import rmqops
from rmqops.errors import HostUnreachable, InventoryError, OperationFailed
from rmqops.model.commands import Command, Result
from rmqops.transport import base, group
from rmqops.transport.base import transport_for
from rmqops.transport.local import LocalTransport
from rmqops.transport.ssh import SshTransport
from tests.support.instances import instance
from tests.unit.transport.ssh_server import Host, serving, target, trust


def test_a_host_that_never_comes_to_the_command(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    host = Host(paramiko.PKey.from_path(tmp_path / "id").asbytes())
    with serving(host) as port:
        trust(tmp_path, port, host.key)
        transport = SshTransport(target=target(port, tmp_path, tmp_path / "id"))
        assert transport.host == f"127.0.0.1:{port}"
        with pytest.raises(HostUnreachable, match="logged in, but true was not started"):
            transport.run(Command(("true",)))


def test_which_transport() -> None:
    local = instance("one", "/nowhere")
    assert isinstance(transport_for(local), LocalTransport)
    remote = transport_for(replace(local, connection="ssh", host="10.0.0.1", variables={}))
    assert isinstance(remote, SshTransport)
    assert remote.host == "10.0.0.1"


def test_a_result_that_must_be_good() -> None:
    good = Result(Command(("true",)), 0, "", "")
    assert base.check(good, "h") is good
    with pytest.raises(OperationFailed, match="h: false exited with 1") as caught:
        base.check(Result(Command(("false",)), 1, "", " no \n"), "h")
    assert caught.value.detail == "no"


def test_a_group_has_each_machine_once() -> None:
    remote = replace(
        instance("one", "/nowhere"), connection="ssh", host="10.0.0.1", variables={"ansible_port": 2222}
    )
    hosts = group.of([remote, replace(remote, name="two"), replace(remote, name="three", host="10.0.0.2")])
    assert [connection.original_host for connection in hosts] == ["10.0.0.1:2222", "10.0.0.2:2222"]
    assert [connection.is_connected for connection in hosts] == [False, False]


def test_a_group_of_this_machine_is_refused() -> None:
    with pytest.raises(InventoryError) as caught:
        rmqops.connect("local")
    assert "ansible_connection: is on this machine" in str(caught.value.detail)


@pytest.mark.parametrize("statement", ["import rmqops", "import rmqops.cli.app", "import rmqops.transport.base"])
def test_who_reaches_no_host_does_not_load_fabric(statement: str) -> None:
    script = f"{statement}; import sys; print({{'fabric', 'invoke', 'paramiko'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

"""The hosts of an inventory as a fabric group, against two real sshds: the example in the docs, and refusals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fabric.exceptions import GroupException

import rmqops
from rmqops.errors import HostKeyChanged, HostKeyUnknown, HostUnreachable, InventoryError, LoginRefused
from rmqops.model.topology import Value
from rmqops.transport import destination
from tests.support.sshd import Sshd, free_port, sshd

pytestmark = pytest.mark.e2e

DOCS = Path(__file__).parents[2] / "docs" / "hosts.md"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sshd, Sshd]]:
    with sshd(tmp_path_factory.mktemp("one")) as one, sshd(tmp_path_factory.mktemp("two")) as two:
        yield one, two


@pytest.fixture(autouse=True)
def _afresh(hosts: tuple[Sshd, Sshd]) -> Iterator[None]:
    for host in hosts:
        host.trust()
    yield
    destination._resolve.cache_clear()


def write(directory: Path, one: dict[str, Value], two: dict[str, Value]) -> str:
    """Write an inventory ``prod`` of a NameServer on each host and a broker beside the first; return its path."""
    one = {**one, "rocketmq_address": "10.0.0.1"}  # loopback is refused where there are several machines
    two = {**two, "rocketmq_address": "10.0.0.2"}
    document = {
        "all": {
            "vars": {
                "rocketmq_cluster": "trial",
                "rocketmq_version": "4.5.2",
                "rocketmq_supervisor": "detached",
                "rocketmq_base_dir": "/opt/rmqops-try",
            },
            "children": {
                "namesrv": {
                    "hosts": {
                        "names-1": {**one, "rocketmq_listen_port": 29876},
                        "names-2": {**two, "rocketmq_listen_port": 29877},
                    }
                },
                "brokers": {
                    "children": {
                        "broker-a": {
                            "hosts": {"a-0": {**one, "rocketmq_listen_port": 20911, "rocketmq_mode": "single"}}
                        }
                    }
                },
            },
        }
    }
    path = directory / "inventory" / "prod" / "hosts.yml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_the_example_in_the_docs(hosts: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    one, two = hosts
    write(tmp_path, one.variables(), two.variables())
    [example] = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    before = [host.log.count("Accepted publickey") for host in hosts]
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(DOCS.parents[1])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = sorted(done.stdout.splitlines())
    assert [line.split(" ", 1)[0] for line in lines] == sorted(f"127.0.0.1:{host.port}" for host in hosts)
    assert all("load average" in line for line in lines)
    assert [host.log.count("Accepted publickey") for host in hosts] == [count + 1 for count in before]


def test_each_host_that_cannot_be_verified_is_an_error_of_its_own(
    hosts: tuple[Sshd, Sshd], tmp_path: Path
) -> None:
    one, two = hosts
    two.known_hosts.write_text("")
    with rmqops.connect(write(tmp_path, one.variables(), two.variables())) as group:
        for error in (HostKeyUnknown, HostKeyChanged):
            with pytest.raises(GroupException) as caught:
                group.run("echo hello", hide=True, in_stream=False)
            [(failed, reason)] = caught.value.result.failed.items()
            assert failed.original_host == f"127.0.0.1:{two.port}"
            assert type(reason) is error
            [succeeded] = caught.value.result.succeeded.values()
            assert succeeded.stdout == "hello\n"
            two.known_hosts.write_text(f"[127.0.0.1]:{two.port} {one.host_key}\n")
        connected = [connection.is_connected for connection in group]
        assert sorted(connected) == [False, True]
    assert two.known_hosts.read_text() == f"[127.0.0.1]:{two.port} {one.host_key}\n", "no key was added"


def test_through_another_host_that_is_verified_and_closed_as_well(
    hosts: tuple[Sshd, Sshd], tmp_path: Path
) -> None:
    one, two = hosts
    config = tmp_path / "config"
    config.write_text(
        f"Host bastion\n HostName 127.0.0.1\n Port {one.port}\n IdentityFile {one.key}\n"
        f" UserKnownHostsFile {one.known_hosts}\nHost *\n IdentitiesOnly yes\n GlobalKnownHostsFile none\n"
    )
    options = f"-F {config} -o UserKnownHostsFile={two.known_hosts} -J bastion"
    path = write(tmp_path, one.variables(), two.variables(ansible_ssh_common_args=options))
    one.known_hosts.write_text("")
    with rmqops.connect(path) as group:
        with pytest.raises(GroupException) as caught:
            group.run("true", hide=True, in_stream=False)
        errors = caught.value.result.failed.values()
        assert {(type(error), error.host) for error in errors} == {
            (HostKeyUnknown, f"127.0.0.1:{one.port}"),
            (HostKeyUnknown, f"bastion:{one.port}"),
        }
        one.trust()
        assert len(group.run("true", hide=True, in_stream=False).succeeded) == 2
        [gateway] = [connection.gateway for connection in group if connection.gateway]
        assert gateway.is_connected
    assert not gateway.is_connected


def test_a_key_with_a_passphrase(hosts: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    one, two = hosts
    locked = []
    for number, host in enumerate(hosts):
        locked.append(tmp_path / f"key{number}")
        locked[-1].write_bytes(host.key.read_bytes())
        locked[-1].chmod(0o600)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "passphrase", "-f", str(locked[-1])], check=True)
    variables = [
        host.variables(ansible_ssh_private_key_file=str(key)) for host, key in zip(hosts, locked, strict=True)
    ]
    path = write(tmp_path, variables[0], variables[1])
    with rmqops.connect(path, passphrase="passphrase") as group:
        assert len(group.run("true", hide=True, in_stream=False).succeeded) == 2
    for passphrase in (None, "wrong"):
        with rmqops.connect(path, passphrase=passphrase) as group, pytest.raises(GroupException) as caught:
            group.run("true", hide=True, in_stream=False)
        errors = caught.value.result.failed.values()
        assert [type(error) for error in errors] == [LoginRefused, LoginRefused]
        assert all("passphrase" in error.detail for error in errors)
    assert (one.port, two.port) == tuple(connection.port for connection in group)


def test_a_host_that_is_down(hosts: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    one, two = hosts
    path = write(tmp_path, one.variables(), two.variables(ansible_port=free_port()))
    with rmqops.connect(path) as group, pytest.raises(GroupException) as caught:
        group.run("true", hide=True, in_stream=False)
    assert [type(error) for error in caught.value.result.failed.values()] == [HostUnreachable]


def test_this_machine_is_no_host_of_a_group() -> None:
    with pytest.raises(InventoryError) as caught:
        rmqops.connect("local")
    assert "ansible_connection" in str(caught.value.detail)

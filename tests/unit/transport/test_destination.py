"""How a host is reached: Ansible's variables, ssh arguments and ssh's configuration, in OpenSSH's own order."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.errors import InventoryError, PreflightFailed
from rmqops.model.topology import Instance
from rmqops.transport import arguments, destination

CONFIG = """
Include {directory}/more
Host web
  HostName 10.1.2.3
  Port 2022
  User operator
  IdentityFile {directory}/id_%r_%h
  UserKnownHostsFile {directory}/known
  ProxyJump jump@bastion:222
Host bastion
  HostName bastion.lan
Host here
  ProxyJump there
Host there
  ProxyJump here
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "more").write_text("Host included\n  HostName 10.9.9.9\n")
    (tmp_path / "config").write_text(CONFIG.format(directory=tmp_path))
    return tmp_path / "config"


def instance(host: str, config: Path, options: str = "", **variables: object) -> Instance:
    given = {"ansible_ssh_common_args": f"-F {config} {options}", **variables}
    return Instance("one", "namesrv", None, host, "ssh", given)  # type: ignore[arg-type]


def test_the_configuration_of_ssh(config: Path, tmp_path: Path) -> None:
    found = destination.of(instance("web", config))
    assert (found.address, found.port, found.user) == ("10.1.2.3", 2022, "operator")
    assert (found.host, found.known_name) == ("web:2022", "[10.1.2.3]:2022")
    assert found.identities == (f"{tmp_path}/id_operator_10.1.2.3",)
    assert found.known_hosts[0] == f"{tmp_path}/known"
    assert found.strict == "ask"
    [jump] = found.jumps
    assert (jump.host, jump.address, jump.user) == ("bastion:222", "bastion.lan", "jump")
    assert destination.of(instance("included", config)).address == "10.9.9.9"


def test_the_inventory_comes_before_the_configuration(config: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("")
    options = "-o UserKnownHostsFile=/elsewhere -o StrictHostKeyChecking=accept-new -o User=third -p 4 -J none"
    key = {"ansible_ssh_private_key_file": str(tmp_path / "key")}
    found = destination.of(instance("web", config, options, ansible_port=3, ansible_user="second", **key))
    assert (found.port, found.user, found.strict) == (3, "second", "accept-new")
    assert found.identities[0] == str(tmp_path / "key")
    assert found.known_hosts[0] == "/elsewhere"
    assert found.jumps == ()
    assert destination.of(instance("web", config, options)).user == "third"
    assert destination.of(instance("web", config, "-p 4")).port == 4


def test_jumps_in_a_row(config: Path) -> None:
    found = destination.of(instance("far", config, "-J bastion,[fd00::1]:23"))
    assert [jump.host for jump in found.jumps] == ["bastion", "fd00::1:23"]


def test_jumps_in_a_circle(config: Path) -> None:
    with pytest.raises(PreflightFailed, match="go through itself: here → there → here"):
        destination.of(instance("here", config))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-o PKCS11Provider=/lib/p11.so", "'pkcs11provider'"),
        ("-o NobodyKnowsThis=1", "'nobodyknowsthis'"),
        ("-oRemoteCommand=ls", "'remotecommand'"),
        ("-L 80:localhost:80", "'-L'"),
        ("-o", "'-o' has no value"),
        ("host", "'host'"),
        ("-i '", "cannot be split"),
    ],
)
def test_an_argument_that_is_not_honoured_is_named(text: str, says: str, config: Path) -> None:
    with pytest.raises(arguments.NotUnderstood) as caught:
        arguments.read(text)
    assert says in str(caught.value)
    with pytest.raises(InventoryError) as told:
        destination.of(instance("web", config, ansible_ssh_extra_args=text))
    assert told.value.problems[0].key == "ansible_ssh_extra_args"
    assert told.value.exit_code == 3


@pytest.mark.parametrize("text", ["-o 'StrictHostKeyChecking no'", "-oStrictHostKeyChecking=off"])
def test_an_inventory_cannot_turn_host_keys_off(text: str, config: Path) -> None:
    with pytest.raises(InventoryError) as told:
        destination.of(instance("web", config, ansible_ssh_extra_args=text))
    assert "turns host keys off" in str(told.value.problems[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-C -o ControlMaster=auto -oControlPersist=60s -o 'ServerAliveInterval 5'",
        "-J a@b:3 -i key -p 22 -4 -F /dev/null -l me -o ProxyCommand='ssh -W %h:%p b'",
        '-o UserKnownHostsFile="/a /b" -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes',
    ],
)
def test_arguments_that_are_honoured(text: str) -> None:
    arguments.read(text)


def test_an_argument_that_ssh_does_not_take(config: Path) -> None:
    with pytest.raises(PreflightFailed, match="web: ssh cannot make sense") as caught:
        destination.of(instance("web", config, "-o Port=many"))
    assert "many" in str(caught.value.detail)


@pytest.mark.parametrize(
    ("variables", "key"),
    [
        ({"ansible_password": "s3cret"}, "ansible_password"),
        ({"ansible_ssh_pass": "s3cret"}, "ansible_ssh_pass"),
        ({"ansible_private_key": "s3cret"}, "ansible_private_key"),
        ({"ansible_ssh_private_key_passphrase": "s3cret"}, "ansible_ssh_private_key_passphrase"),
        ({"ansible_ssh_executable": "/opt/wrapper"}, "ansible_ssh_executable"),
        ({"ansible_ssh_pkcs11_provider": "/lib/p11.so"}, "ansible_ssh_pkcs11_provider"),
        ({"ansible_ssh_private_key_file": "/no/such/key"}, "ansible_ssh_private_key_file"),
    ],
)
def test_variables_that_cannot_be_honoured(variables: dict[str, str], key: str, config: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        destination.of(instance("web", config, **variables))
    assert caught.value.problems[0].key == key
    assert "s3cret" not in f"{caught.value} {caught.value.detail}"

"""Both halves log in alike: what Ansible's own ssh plug-in makes of settings, and what rmqops makes of them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rmqops.errors import OperationFailed
from rmqops.model.commands import Command
from rmqops.model.topology import Instance
from rmqops.operations.change import ansible_environment, playbook
from rmqops.transport import destination, openssh, pool
from rmqops.transport.base import transport_for
from tests.support.sshd import sshd

pytestmark = pytest.mark.e2e

NOTHING_DEPLOYED: dict[str, Any] = {
    "rocketmq_cluster": "trial", "rocketmq_version": "4.4.0", "rocketmq_supervisor": "detached",
    "rocketmq_address": "127.0.0.1", "rocketmq_base_dir": "/nothing/is/there",
}  # fmt: skip

RECORDER = """#!{python}
import json, os, sys
with open(os.path.join(os.environ["RECORDED"], str(os.getpid())), "w") as file:
    json.dump(sys.argv[1:], file)
sys.exit(255)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose name is short, as a socket's path has to be."""
    with tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True) as made:
        yield Path(made)


@pytest.fixture(autouse=True)
def _afresh(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a directory of one's own, with a home and a cache that have nothing of anybody's."""
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("RMQOPS_CACHE", str(tmp_path / "cache"))
    yield
    pool.close_all()
    destination._resolve.cache_clear()


class Recorder:
    """A program that stands for ssh in Ansible's half, and what it was started with, by host."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._recorded = directory / "recorded"
        self._recorded.mkdir()
        programs = directory / "programs"
        programs.mkdir()
        (programs / "ssh").write_text(RECORDER.format(python=sys.executable))
        (programs / "ssh").chmod(0o755)
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}", "RECORDED": str(self._recorded)}
        self._monkeypatch = monkeypatch

    def commands(self, hosts: Sequence[str]) -> dict[str, list[str]]:
        """Return the arguments that a host's login got, the host's own name last."""
        found = {}
        for file in self._recorded.iterdir():
            words = json.loads(file.read_text())
            host = next(word for word in words if word in hosts)
            found[host] = words[: words.index(host) + 1]
        return found


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(tmp_path, monkeypatch)


def instances(hosts: Mapping[str, Mapping[str, Any]]) -> list[Instance]:
    return [Instance(name, "namesrv", None, name, "ssh", variables) for name, variables in hosts.items()]


def write(hosts: Mapping[str, Mapping[str, Any]]) -> Path:
    path = Path("hosts.json")
    path.write_text(
        json.dumps({"all": {"vars": NOTHING_DEPLOYED, "children": {"namesrv": {"hosts": hosts}, "brokers": {}}}})
    )
    return path


CONFIG = """
[defaults]
remote_user = cfg-user
private_key_file = ./cfg-key
timeout = 33
remote_port = 2202
host_key_checking = False
[ssh_connection]
ssh_args = -C -o ControlMaster=auto -o ControlPersist=60s -o ForwardAgent=yes -o UserKnownHostsFile=/cfg/known
ssh_common_args = -o ProxyJump=cfg-jump -o IdentitiesOnly=yes
ssh_extra_args = -o IdentityAgent=/cfg/agent
"""
HOSTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "user": {"ansible_user": "low", "ansible_ssh_user": "high"},
    "no-user": {"ansible_user": ""},
    "null": {"ansible_user": None, "ansible_ssh_common_args": None},
    "port": {"ansible_port": 3, "ansible_ssh_port": 4},
    "timeout": {"ansible_ssh_timeout": 5},
    "arguments": {"ansible_ssh_args": "-o UserKnownHostsFile=/own/known -o Port=9 -l first"},
    "common": {"ansible_ssh_common_args": "-o UserKnownHostsFile=/late -J a,b@c:22 -o ConnectTimeout=1"},
    "no-common": {"ansible_ssh_common_args": "", "ansible_ssh_extra_args": ""},
    "extra": {"ansible_ssh_extra_args": "-o HostKeyAlias=alias -o CertificateFile=/c-cert.pub -6"},
    "template": {"mine": "templated", "ansible_user": "{{ mine }}"},
}


def test_rmqops_makes_of_settings_what_ansibles_own_plug_in_makes_of_them(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ansible.cfg").write_text(CONFIG)
    Path("key").touch()
    key = str(Path("key").absolute())
    keys = {"ansible_private_key_file": "/no/such/key", "ansible_ssh_private_key_file": key}
    hosts = {**HOSTS, "key": {"ansible_private_key_file": key}, "keys": keys}
    monkeypatch.setenv("ANSIBLE_REMOTE_PORT", "2303")
    program = Path(sys.executable).with_name("ansible")
    subprocess.run(
        [program, "-i", write(hosts), "-f", "4", "-m", "raw", "-a", "true", "all"],
        env={**os.environ, **recorder.environment, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    theirs = recorder.commands(list(hosts))
    assert theirs.keys() == hosts.keys()
    resolved = {**hosts, "template": {"ansible_user": "templated"}}
    for instance in instances(resolved):
        # They turn host keys off here, and say how else nobody logs in; neither is ours to do.
        passed_over = {"stricthostkeychecking", "kbdinteractiveauthentication", "preferredauthentications",
                       "passwordauthentication", "controlpath", "numberofpasswordprompts"}  # fmt: skip
        ours = [*destination.login_of(instance).words, instance.name]
        assert _said(ours, passed_over) == _said(theirs[instance.name], passed_over), instance.name


def _said(argv: Sequence[str], passed_over: set[str]) -> dict[str, tuple[str, ...]]:
    words = [word for word in argv if word != "-tt"]
    return {key: value for key, value in openssh.ask(words).options.items() if key not in passed_over}


HOSTILE = [
    "-A",
    "-o ForwardAgent=yes",
    "-oForwardAgent=yes",
    "-o StrictHostKeyChecking=accept-new",
    "-o BatchMode=no -o ServerAliveInterval=0 -o ServerAliveCountMax=99",
    "-M -S /tmp/mine",
    "-o ControlPath=/tmp/mine -o ControlMaster=no -o ControlPersist=no",
    "-J jump -A",
    "-o 'ProxyCommand=ssh -A -W %h:%p jump'",
]


def test_what_must_hold_in_ansibles_half_holds_whatever_anybody_says(
    recorder: Recorder, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ansible.cfg").write_text(
        "[defaults]\nhost_key_checking = False\nstdout_callback = nobody.has.it\nstrategy = none\n"
        "callback_whitelist = x\ncallbacks_enabled = y\nfact_caching = nothing\n"
        "[ssh_connection]\nssh_executable = ./fakessh\nssh_args = -A -o StrictHostKeyChecking=no\n"
        "control_path = /tmp/mine\nssh_extra_args = -A\n"
    )
    monkeypatch.setenv("ANSIBLE_STRATEGY", "none")
    monkeypatch.setenv("ANSIBLE_SSH_EXECUTABLE", "./fakessh")
    monkeypatch.setenv("ANSIBLE_SSH_ARGS", "-A")
    config = tmp_path / "config"
    config.write_text(
        "Host *\n StrictHostKeyChecking no\n ForwardAgent yes\n ControlMaster auto\n ControlPath /tmp/mine\n"
    )
    groups = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
    hosts: dict[str, dict[str, Any]] = {
        f"host-{place}-{number}": {group: f"-F {config} {text}", "ansible_control_path": "/tmp/mine"}
        for place, group in enumerate(groups)
        for number, text in enumerate(HOSTILE)
    }
    hosts["host-plain"] = {"ansible_host_key_checking": False, "ansible_ssh_host_key_checking": False}
    hosts["host-sftp"] = {"ansible_sftp_extra_args": "-A", "ansible_scp_extra_args": "-A -v"}
    path = write(hosts)
    for name, value in recorder.environment.items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    ready = instances(hosts)
    plugged = ansible_environment.variables(ready)
    monkeypatch.setattr(ansible_environment, "variables", lambda _hosts: plugged)
    monkeypatch.setenv("PATH", recorder.environment["PATH"])
    with pytest.raises(OperationFailed):
        playbook.run("stop", (str(path),), log=tmp_path / "log", listener=lambda _: None, hosts=ready, forks=4)
    monkeypatch.undo()
    found = recorder.commands(list(hosts))
    assert found.keys() == hosts.keys(), (tmp_path / "log").read_text()
    for host, words in found.items():
        answer = openssh.ask([word for word in words if word != "-tt"])
        held = {
            "stricthostkeychecking": "true", "forwardagent": "no", "batchmode": "yes", "serveraliveinterval": "15",
            "serveralivecountmax": "2", "controlmaster": "auto", "controlpersist": "60",
        }  # fmt: skip
        assert {name: answer.first(name) for name in held} == held, (host, words)
        assert str(home / ".ansible/cp/rmqops") in answer.first("controlpath"), (host, words)
        assert "-A" not in words
        if "-7" in host:
            command = answer.first("proxycommand")
            assert {"-W", "StrictHostKeyChecking=yes", "ForwardAgent=no"} <= set(shlex.split(command))
            assert shlex.split(command)[-1] == "jump"


def test_ansible_cfg_says_how_both_halves_log_in(home: Path, tmp_path: Path) -> None:
    with sshd(tmp_path / "one") as one, sshd(tmp_path / "two") as two:
        Path("ansible.cfg").write_text(
            f"[defaults]\nprivate_key_file = {one.key}\nremote_user = {one.variables()['ansible_user']}\n"
            f"[ssh_connection]\nssh_common_args = -F {one.directory / 'config'} "
            f"-o 'UserKnownHostsFile={one.known_hosts} {two.known_hosts}'\n"
        )
        (two.directory / "authorized_keys").write_text((one.directory / "id.pub").read_text())
        hosts: dict[str, dict[str, Any]] = {
            name: {"ansible_host": "127.0.0.1", "ansible_port": each.port,
                   "ansible_python_interpreter": sys.executable}
            for name, each in (("one", one), ("two", two))
        }  # fmt: skip
        ready = [Instance(name, "namesrv", None, "127.0.0.1", "ssh", values) for name, values in hosts.items()]
        assert [transport_for(each).run(Command(("true",))).ok for each in ready] == [True, True]
        pool.close_all()
        before = one.log.count("Accepted publickey"), two.log.count("Accepted publickey")
        playbook.run("destroy", (str(write(hosts)),), log=tmp_path / "log", listener=lambda _: None, hosts=ready)
        assert one.log.count("Accepted publickey") > before[0]
        assert two.log.count("Accepted publickey") > before[1]
        end_connections(home)


def test_what_opens_vaults_reaches_a_run_and_what_ansible_lacks_stands_first(tmp_path: Path) -> None:
    Path("password").write_text("opens it\n")
    program = str(Path(sys.executable).with_name("ansible-vault"))
    argv = [program, "encrypt_string", "--vault-password-file", "password", sys.executable]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    vaulted = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment).stdout
    Path("group_vars").mkdir()
    Path("group_vars/all.yml").write_text(f"ansible_python_interpreter: {vaulted}")
    path = write({"one": {"ansible_connection": "local"}})

    def destroy() -> None:
        playbook.run("destroy", (str(path),), hosts=(), log=tmp_path / "log", listener=lambda _: None)

    Path("ansible.cfg").write_text("[defaults]\nvault_password_file = ./password\n")
    destroy()
    Path("ansible.cfg").unlink()
    with pytest.raises(OperationFailed) as caught:
        destroy()
    assert "no vault secrets" in f"{caught.value} {caught.value.detail}"


def test_a_host_on_the_way_is_verified_in_ansibles_half_whatever_the_configuration_says(
    home: Path, tmp_path: Path
) -> None:
    with sshd(tmp_path / "jump") as jump, sshd(tmp_path / "inner") as inner:
        config = tmp_path / "config"
        config.write_text(
            f"Host jump\n HostName 127.0.0.1\n Port {jump.port}\n IdentityFile {jump.key}\n"
            f" UserKnownHostsFile {jump.known_hosts}\nHost *\n IdentitiesOnly yes\n GlobalKnownHostsFile none\n"
            " StrictHostKeyChecking no\n"
        )
        values = {
            **inner.variables(rocketmq_listen_port=None),
            "ansible_python_interpreter": sys.executable,
            "ansible_ssh_common_args": f"-F {config} -o UserKnownHostsFile={inner.known_hosts} -J jump",
        }
        hosts = {"inner": values}
        ready = [Instance("inner", "namesrv", None, "127.0.0.1", "ssh", values)]

        def destroy() -> None:
            playbook.run(
                "destroy", (str(write(hosts)),), log=tmp_path / "log", listener=lambda _: None, hosts=ready
            )

        destroy()
        assert "Accepted publickey" in jump.log
        end_connections(home)
        jump.known_hosts.write_text("")
        with pytest.raises(OperationFailed):
            destroy()
        assert jump.known_hosts.read_text() == "", "nobody has vouched for the host on the way"
        end_connections(home)


def end_connections(home: Path) -> None:
    for socket in (home / ".ansible/cp/rmqops").glob("*"):
        subprocess.run(["ssh", "-O", "exit", "-S", str(socket), "any"], check=False, capture_output=True)

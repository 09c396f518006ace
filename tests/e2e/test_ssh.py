"""Hosts over ssh: a real sshd on a loopback port, run, put, get and open, and everything that may go wrong."""

from __future__ import annotations

import getpass
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.errors import (
    HostKeyChanged,
    HostKeyUnknown,
    HostUnreachable,
    LoginRefused,
    OperationFailed,
    PreflightFailed,
)
from rmqops.model.commands import Command
from rmqops.model.topology import Value
from rmqops.transport import destination, hostkeys, pool
from rmqops.transport.base import transport_for
from rmqops.transport.base_transport import BaseTransport
from rmqops.transport.connection import Connection
from rmqops.transport.ssh import SshTransport
from tests.support.sshd import Sshd, sshd

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(autouse=True)
def _afresh(request: pytest.FixtureRequest) -> Iterator[None]:
    if "host" in request.fixturenames:
        request.getfixturevalue("host").trust()
    yield
    pool.close_all()
    destination._resolve.cache_clear()


def reach(host: Sshd, **changes: Value) -> BaseTransport:
    transport = transport_for(host.instance(**changes))
    assert isinstance(transport, SshTransport)
    return transport


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture
def nap() -> str:
    """Return a number of seconds that no other sleeping process was given."""
    return f"600.{secrets.randbelow(10**12):012d}"


def sleeping(nap: str) -> list[int]:
    """Return the processes that sleep for so long."""
    mark = f"sleep\x00{nap}"
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                pids.append(int(path.parent.name))
        except OSError:
            continue
    return pids


def test_run(host: Sshd) -> None:
    done = reach(host).run(Command.shell('cat; echo "$1" >&2; exit 7', "it's $HOME", timeout=60))
    assert (done.code, done.stdout, done.stderr) == (7, "", "it's $HOME\n")
    assert reach(host).run(Command(("cat",), stdin="in")).stdout == "in"
    assert reach(host).host == f"127.0.0.1:{host.port}"


def test_much_input_and_output_at_once(host: Sshd) -> None:
    text = "0123456789abcde\n" * 300_000
    assert reach(host).run(Command(("cat",), stdin=text, timeout=120)).stdout == text


def test_a_command_that_leaves_its_input(host: Sshd) -> None:
    assert reach(host).run(Command(("true",), stdin="x" * 5_000_000, timeout=60)).ok


def test_no_such_program(host: Sshd) -> None:
    with pytest.raises(OperationFailed, match=r"127\.0\.0\.1:\d+: no-such-program cannot be started"):
        reach(host).run(Command(("no-such-program",)))


def test_put_and_get(host: Sshd, tmp_path: Path) -> None:
    content = os.urandom(300_000)
    target = tmp_path / "a file's $name"
    target.write_text("old")
    reach(host).put(content, str(target), 0o640)
    assert target.read_bytes() == content
    assert target.stat().st_mode & 0o7777 == 0o640
    assert reach(host).get(str(target)) == content
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    with pytest.raises(OperationFailed, match="could not be read"):
        reach(host).get(str(tmp_path / "none"))
    with pytest.raises(OperationFailed, match="could not be written") as caught:
        reach(host).put(b"x", str(tmp_path / "none" / "file"), 0o600)
    assert "No such file or directory" in str(caught.value.detail)


def test_a_time_out_ends_the_remote_process(host: Sshd, nap: str) -> None:
    with pytest.raises(OperationFailed, match=r"/bin/sh did not end within 1 s"):
        reach(host).run(Command.shell(f"sleep {nap}; :", timeout=1))
    wait_until(lambda: not sleeping(nap), "the remote process lives on")


def test_open_is_read_as_it_comes_and_closed_at_both_ends(host: Sshd, nap: str) -> None:
    script = f"echo one; echo two >&2; (sleep {nap}; :) & sleep {nap}; :"
    with reach(host).open(Command.shell(script)) as process:
        lines = iter(process)
        assert [next(lines), next(lines)] == ["one", "two"]
        wait_until(lambda: bool(sleeping(nap)), "nothing was started")
        code = process.returncode
        assert code is None
    assert process.returncode == 143
    wait_until(lambda: not sleeping(nap), "a process of it lives on")


def test_open_to_its_own_end(host: Sshd) -> None:
    with reach(host).open(Command.shell("printf 'a\\n\\nb'; exit 3")) as process:
        assert list(process) == ["a", "", "b"]
        assert process.returncode == 3


def test_open_closed_by_another_thread(host: Sshd, nap: str) -> None:
    process = reach(host).open(Command.shell(f"trap '' TERM; echo up; while :; do sleep {nap}; done"))
    lines = iter(process)
    assert next(lines) == "up"
    closer = threading.Thread(target=process.close)
    closer.start()
    assert list(lines) == []
    closer.join()
    assert process.returncode == 137
    wait_until(lambda: not sleeping(nap), "the remote process lives on")


def test_a_lock_held_by_a_session(host: Sshd, tmp_path: Path) -> None:
    lock = Command(("flock", "-n", "-E", "75", str(tmp_path / "lock"), "sh", "-c", "echo held; exec sleep 600"))
    with reach(host).open(lock) as mine:
        assert next(iter(mine)) == "held"
        with reach(host).open(lock) as other:
            assert list(other) == []
            assert other.returncode == 75
    with reach(host).open(lock) as again:
        assert next(iter(again)) == "held"


def test_what_is_open_ends_with_the_process_that_opened_it(host: Sshd, nap: str) -> None:
    script = f"""
import sys
from tests.support.sshd import Sshd
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from rmqops.transport.base import transport_for
from rmqops.model.commands import Command
instance = Sshd(Path({str(host.directory)!r}), {host.port}, None).instance()
for line in transport_for(instance).open(Command.shell("echo up; sleep {nap}; :")):
    print(line, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert child.stdout
    try:
        assert child.stdout.readline() == b"up\n"
        wait_until(lambda: bool(sleeping(nap)), "nothing was started")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    wait_until(lambda: not sleeping(nap), "the remote process outlives a killed client")


def test_many_commands_share_connections(host: Sshd) -> None:
    before = host.log.count("Accepted publickey")
    transport = reach(host)
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(transport.run(Command(("echo", str(n)))).stdout))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, answers)) == list(range(20))
    assert 1 <= host.log.count("Accepted publickey") - before <= 3


def test_an_sshd_that_allows_one_session_a_connection(tmp_path: Path) -> None:
    with sshd(tmp_path / "one", "MaxSessions 1") as host:
        with reach(host).open(Command.shell("echo up; exec sleep 600")) as first:
            assert next(iter(first)) == "up"
            assert reach(host).run(Command(("echo", "two"))).stdout == "two\n"
        assert host.log.count("Accepted publickey") == 2


def test_what_a_shell_prints_at_login_is_not_the_commands(host: Sshd, tmp_path: Path) -> None:
    with sshd(
        tmp_path / "noisy", "ForceCommand sh -c 'echo hello; echo hi >&2; eval \"$SSH_ORIGINAL_COMMAND\"'"
    ) as noisy:
        done = reach(noisy).run(Command.shell("echo out; echo err >&2"))
        assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_an_unknown_key(host: Sshd) -> None:
    host.known_hosts.write_text("")
    with pytest.raises(HostKeyUnknown) as caught:
        reach(host).run(Command(("true",)))
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(host.directory / "host.pub")], capture_output=True, text=True, check=True
    )
    assert caught.value.fingerprint == shown.stdout.split()[1]
    assert caught.value.key_type == "ssh-ed25519"
    assert caught.value.host == f"127.0.0.1:{host.port}"
    assert caught.value.exit_code == 4
    keys = pool.unknown_keys([host.instance("one"), host.instance("two")])
    assert [item.fingerprint for item in keys] == [caught.value.fingerprint]
    hostkeys.append(keys)
    hostkeys.append(keys)
    assert host.known_hosts.read_text() == f"[127.0.0.1]:{host.port} {host.host_key}\n"
    assert pool.unknown_keys([host.instance()]) == ()
    assert reach(host).run(Command(("true",))).ok


def test_a_new_key_that_may_be_accepted(host: Sshd) -> None:
    host.known_hosts.unlink()
    arguments = f"{host.variables()['ansible_ssh_common_args']} -o StrictHostKeyChecking=accept-new"
    assert reach(host, ansible_ssh_common_args=arguments).run(Command(("true",))).ok
    assert host.host_key in host.known_hosts.read_text()
    assert host.known_hosts.stat().st_mode & 0o777 == 0o600


def test_a_changed_key(host: Sshd, tmp_path: Path) -> None:
    keygen(tmp_path / "other")
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    host.known_hosts.write_text(f"# a comment\n[127.0.0.1]:{host.port} {other}\n")
    with pytest.raises(HostKeyChanged) as caught:
        reach(host).run(Command(("true",)))
    message = str(caught.value)
    for public in (tmp_path / "other.pub", host.directory / "host.pub"):
        shown = subprocess.run(["ssh-keygen", "-lf", str(public)], capture_output=True, text=True, check=True)
        assert shown.stdout.split()[1] in message
    assert f"{host.known_hosts}:2" in message
    assert "ssh-keygen -R" in message


def test_a_wrong_key(host: Sshd, tmp_path: Path) -> None:
    keygen(tmp_path / "stranger")
    with pytest.raises(LoginRefused) as caught:
        reach(host, ansible_ssh_private_key_file=str(tmp_path / "stranger")).run(Command(("true",)))
    assert f"{tmp_path / 'stranger'}: refused" in str(caught.value.detail)


def test_a_key_with_a_passphrase_is_left_to_the_agent(host: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(host.key.read_bytes())
    locked.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "passphrase", "-f", str(locked)], check=True)
    (tmp_path / "locked.pub").write_text((host.directory / "id.pub").read_text())
    with pytest.raises(LoginRefused) as caught:
        reach(host, ansible_ssh_private_key_file=str(locked)).run(Command(("true",)))
    assert "has a passphrase" in str(caught.value.detail)
    with agent_with(tmp_path, host.key):
        assert reach(host, ansible_ssh_private_key_file=str(locked)).run(Command(("true",))).ok


@pytest.fixture(scope="module")
def ca_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run an sshd that lets in whoever has a certificate of its authority, and no key of its own accord."""
    directory = tmp_path_factory.mktemp("ca")
    keygen(directory / "ca")
    with sshd(directory, f"TrustedUserCAKeys {directory / 'ca.pub'}", "AuthorizedKeysFile none") as running:
        yield running


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path)], check=True)
    return path


def sign(key: Path, host: Sshd, validity: str = "+1h") -> Path:
    """Have the authority sign a key, and return the certificate."""
    sign = ["ssh-keygen", "-q", "-s", str(host.directory / "ca"), "-I", "me", "-n", getpass.getuser()]
    subprocess.run([*sign, "-V", validity, f"{key}.pub"], check=True)
    return key.with_name(f"{key.name}-cert.pub")


@contextmanager
def agent_with(directory: Path, *keys: Path) -> Iterator[None]:
    """Run an agent that holds some keys, as the environment's own."""
    path = directory / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        wait_until(path.exists, "no agent")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSH_AUTH_SOCK", str(path))
            subprocess.run(["ssh-add", "-q", *map(str, keys)], check=True)
            destination._resolve.cache_clear()
            yield
    finally:
        agent.terminate()
        agent.wait()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_beside_its_key(ca_host: Sshd, tmp_path: Path, kind: str) -> None:
    key = keygen(tmp_path / "key", kind)
    variables: dict[str, Value] = {"ansible_ssh_private_key_file": str(key)}
    with pytest.raises(LoginRefused):
        reach(ca_host, **variables).run(Command(("true",)))
    sign(key, ca_host)
    assert reach(ca_host, **variables).run(Command(("true",))).ok


@pytest.mark.parametrize("way", ["file", "locked", "agent alone"])
def test_a_certificate_that_lies_elsewhere(ca_host: Sshd, tmp_path: Path, way: str) -> None:
    """CertificateFile in ssh's configuration: with the key in a file, or held by the agent."""
    key = keygen(tmp_path / "key")
    certificate = sign(key, ca_host).rename(tmp_path / "shop-cert.pub")
    config = tmp_path / "config"
    config.write_text(f"IdentitiesOnly yes\nGlobalKnownHostsFile none\nCertificateFile {certificate}\n")
    options = f"-F {config} -o UserKnownHostsFile={ca_host.known_hosts}"
    variables: dict[str, Value] = {
        "ansible_ssh_common_args": options,
        "ansible_ssh_private_key_file": None if way == "agent alone" else str(key),
    }
    if way == "file":
        assert reach(ca_host, **variables).run(Command(("true",))).ok
        return
    with agent_with(tmp_path, key):
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "passphrase", "-f", str(key)], check=True)
        assert reach(ca_host, **variables).run(Command(("true",))).ok


def test_a_certificate_in_the_inventorys_arguments(ca_host: Sshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "key")
    certificate = sign(key, ca_host).rename(tmp_path / "shop-cert.pub")
    options = f"{ca_host.variables()['ansible_ssh_common_args']} -o CertificateFile={certificate}"
    variables: dict[str, Value] = {"ansible_ssh_common_args": options, "ansible_ssh_private_key_file": str(key)}
    assert reach(ca_host, **variables).run(Command(("true",))).ok


def test_a_certificate_that_has_expired_does_not_stand_in_its_keys_way(host: Sshd, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(host.key.read_bytes())
    key.chmod(0o600)
    (tmp_path / "key.pub").write_text((host.directory / "id.pub").read_text())
    ca = keygen(tmp_path / "ca")
    sign(key, replace(host, directory=ca.parent), "-2h:-1h")
    assert reach(host, ansible_ssh_private_key_file=str(key)).run(Command(("true",))).ok


def test_a_certificate_of_another_key_is_named(ca_host: Sshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "key")
    certificate = sign(keygen(tmp_path / "other"), ca_host)
    options = (
        f"{ca_host.variables()['ansible_ssh_common_args']} -o CertificateFile={certificate} "
        f"-o CertificateFile={tmp_path / 'none-cert.pub'}"
    )
    variables: dict[str, Value] = {"ansible_ssh_common_args": options, "ansible_ssh_private_key_file": str(key)}
    with pytest.raises(LoginRefused) as caught:
        reach(ca_host, **variables).run(Command(("true",)))
    assert f"CertificateFile {certificate}: its key is neither among the files nor in the agent" in str(
        caught.value.detail
    )
    assert f"CertificateFile {tmp_path / 'none-cert.pub'}: cannot be read" in str(caught.value.detail)
    assert caught.value.remedy == f"correct CertificateFile {tmp_path / 'none-cert.pub'}"


def test_nobody_is_asked_for_a_passphrase_in_the_middle(host: Sshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", passphrase="passphrase")
    with pytest.raises(LoginRefused) as caught:
        reach(host, ansible_ssh_private_key_file=str(key)).run(Command(("true",)))
    assert f"{key}: has a passphrase" in str(caught.value.detail)
    assert caught.value.remedy == f"ssh-add {key}, and run this again"
    assert caught.value.exit_code == 4


def test_there_is_no_file_for_a_hosts_key(host: Sshd) -> None:
    options = f"-F {host.directory / 'config'} -o UserKnownHostsFile=/dev/null"
    with pytest.raises(PreflightFailed, match="UserKnownHostsFile: /dev/null is not a file") as caught:
        pool.unknown_keys([host.instance(ansible_ssh_common_args=options)])
    assert caught.value.exit_code == 4
    assert not isinstance(caught.value, HostKeyUnknown)


def test_a_host_that_is_not_there(host: Sshd) -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))  # bound, and nobody listens
        with pytest.raises(HostUnreachable, match="Connection refused"):
            reach(host, ansible_port=placeholder.getsockname()[1]).run(Command(("true",)))


def test_a_host_that_accepts_and_never_answers(host: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        arguments = f"{host.variables()['ansible_ssh_common_args']} -o ConnectTimeout=1"
        with pytest.raises(HostUnreachable, match=rf"127\.0\.0\.1:{port}: accepts connections .* within 1 s"):
            reach(host, ansible_port=port, ansible_ssh_common_args=arguments).run(Command(("true",)))
        assert pool.unknown_keys([host.instance(ansible_port=port, ansible_ssh_common_args=arguments)]) == ()


def test_a_host_that_hangs_after_the_login(tmp_path: Path, nap: str) -> None:
    with sshd(tmp_path / "hangs", f"ForceCommand sleep {nap}") as host:
        transport = SshTransport(target=destination.of(host.instance()), patience=1)
        with pytest.raises(HostUnreachable, match="logged in, but true was not started within 1 s"):
            transport.run(Command(("true",), timeout=600))
        with pytest.raises(HostUnreachable, match="logged in, but true was not started within 1 s"):
            transport.open(Command(("true",)))
        pool.close_all()
        for pid in sleeping(nap):
            os.kill(pid, signal.SIGKILL)


def test_a_login_that_ends_at_once(tmp_path: Path) -> None:
    with (
        sshd(tmp_path / "nologin", "ForceCommand echo no logins today >&2; exit 1") as host,
        pytest.raises(HostUnreachable, match="ended before true was started") as caught,
    ):
        reach(host).run(Command(("true",)))
    assert caught.value.detail == "no logins today"


KILL_SSHD = """
pid=$$
until tr '\\0' ' ' < "/proc/$pid/cmdline" | grep -q '^sshd: '; do read -r _ _ _ pid _ < "/proc/$pid/stat"; done
kill -9 "$pid"
sleep 1
"""


def test_a_connection_lost_in_the_middle(host: Sshd) -> None:
    with pytest.raises(HostUnreachable, match="connection was lost while /bin/sh ran"):
        reach(host).run(Command.shell(KILL_SSHD, timeout=60))
    assert reach(host).run(Command(("true",))).ok, "the next command connects again"


def bastion(host: Sshd, directory: Path, more: str = "") -> Path:
    """Write a configuration of ssh that knows a host to jump over; ``more`` is for every host."""
    config = directory / "config"
    config.write_text(
        f"Host bastion\n HostName 127.0.0.1\n Port {host.port}\n IdentityFile {host.key}\n"
        f" UserKnownHostsFile {host.known_hosts}\nHost *\n IdentitiesOnly yes\n GlobalKnownHostsFile none\n{more}"
    )
    return config


def test_through_another_host(host: Sshd, tmp_path: Path) -> None:
    with sshd(tmp_path / "inner") as inner:
        config = bastion(host, tmp_path)
        arguments = f"-F {config} -o UserKnownHostsFile={inner.known_hosts} -J bastion"
        through = {"ansible_ssh_common_args": arguments}
        assert "Accepted" not in inner.log
        assert reach(inner, **through).run(Command(("echo", "hello"))).stdout == "hello\n"
        assert "Accepted" in inner.log
        pool.close_all()
        host.known_hosts.write_text("")
        keys = pool.unknown_keys([inner.instance(**through)])
        assert [item.host for item in keys] == [f"bastion:{host.port}"]
        command = f"ssh -F {config} -o UserKnownHostsFile={host.known_hosts} -W %h:%p bastion"
        host.trust()
        proxied = f"-F {config} -o UserKnownHostsFile={inner.known_hosts} -o ProxyCommand='{command}'"
        destination._resolve.cache_clear()
        assert reach(inner, ansible_ssh_common_args=proxied).run(Command(("echo", "again"))).stdout == "again\n"


def test_a_host_that_is_down_behind_another_leaves_the_others_connected(host: Sshd, tmp_path: Path) -> None:
    """The way there is shared: who waits in vain for one host ends nobody's command on another."""
    config = bastion(host, tmp_path, " ConnectTimeout 3\n")
    with sshd(tmp_path / "inner") as inner, socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address):  # its backlog is full now, and a SYN gets no answer
            arguments = f"-F {config} -o UserKnownHostsFile={inner.known_hosts} -J bastion"
            well = reach(inner, ansible_ssh_common_args=arguments)
            down = reach(inner, ansible_ssh_common_args=arguments, ansible_port=address[1])
            with well.open(Command.shell("echo up; sleep 9; echo still up")) as session:
                lines = iter(session)
                assert next(lines) == "up"
                with pytest.raises(HostUnreachable, match="does not lead to 127"):
                    down.run(Command(("true",)))
                assert next(lines) == "still up"


def test_every_step_of_a_login_is_bounded(host: Sshd) -> None:
    target = destination.of(host.instance())
    assert target.timeout == destination.CONNECT
    with Connection(target) as connection:
        connection.open()
        transport = connection.transport
        assert (transport.banner_timeout, transport.auth_timeout) == (target.timeout, 2 * target.timeout)
        assert (transport.handshake_timeout, transport.channel_timeout) == (target.timeout, target.timeout)

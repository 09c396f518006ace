"""The commands that talk to hosts, against a real sshd: host keys asked for once, exec, logs."""

from __future__ import annotations

import json
import os
import pty
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.errors import OperationFailed
from rmqops.operations import inventories
from rmqops.operations.change import playbook
from tests.support.clusters import Done, rmqops
from tests.support.sshd import Sshd, sshd

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def inventory(host: Sshd, tmp_path: Path) -> Path:
    """Write a cluster of one NameServer and one broker on the host."""
    host.trust()
    variables = {
        **host.variables(rocketmq_listen_port=None),
        "ansible_python_interpreter": sys.executable,
        "rocketmq_cluster": "trial",
        "rocketmq_version": "4.4.0",
        "rocketmq_supervisor": "detached",
        "rocketmq_base_dir": str(tmp_path / "srv"),
        "rocketmq_heap": "128m",
        "rocketmq_direct_memory": "128m",
    }
    document = {
        "all": {
            "vars": variables,
            "children": {
                "namesrv": {"hosts": {"names": {}}},
                "brokers": {"children": {"broker-a": {"hosts": {"broker": {"rocketmq_mode": "single"}}}}},
            },
        }
    }
    path = tmp_path / "inventory.yml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def broker_logs(inventory: Path, tmp_path: Path) -> Path:
    directory = tmp_path / "srv" / "instances" / "broker" / "logs"
    directory.mkdir(parents=True)
    return directory


def run(inventory: Path, verb: str, *arguments: str) -> Done:
    return rmqops(verb, "-i", str(inventory), *arguments)


def wait_until(condition: Callable[[], bool], what: Callable[[], str], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.05)


def commands(mark: str) -> dict[int, bytes]:
    """Return the processes with that text on their command line, and the line."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in (line := path.read_bytes()):
                found[int(path.parent.name)] = line
        except OSError:
            continue
    return found


@contextmanager
def started(argv: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process that does not outlive the block."""
    with subprocess.Popen(argv, **options) as child:
        try:
            yield child
        finally:
            child.kill()


def sleeps(nap: str) -> bool:
    """Tell whether a process sleeps for so long; those that only speak of it do not count."""
    whole = f"sleep\0{nap}\0".encode()
    return whole in commands(f"sleep\0{nap}").values()


def test_exec_on_each_machine(inventory: Path, host: Sshd) -> None:
    done = run(inventory, "exec", "--", "sh", "-c", 'echo "$@"; echo bad >&2', "-", "it's", "a  b")
    assert done.code == 0, done
    name = f"127.0.0.1:{host.port}"
    assert sorted(done.stdout.splitlines()) == sorted([f"{name} | it's a  b", f"{name} | bad"])
    assert "1 of 1 exited with 0" in done.stderr


def test_exec_on_instances_and_its_exit_code(inventory: Path, tmp_path: Path) -> None:
    script = 'echo "$RMQOPS_INSTANCE_DIR"; [ "$RMQOPS_INSTANCE" = names ]'
    done = run(inventory, "exec", "--json", "names", "broker-a", "--", "sh", "-c", script)
    assert done.code == 1, done
    answer = json.loads(done.stdout)
    assert [(item["name"], item["code"], item["error"]) for item in answer] == [
        ("names", 0, None),
        ("broker", 1, None),
    ]
    assert answer[1]["output"] == [str(tmp_path / "srv" / "instances" / "broker")]


def test_exec_with_a_limit_of_time(inventory: Path) -> None:
    nap = f"600.{secrets.randbelow(10**12):012d}"
    done = run(inventory, "exec", "--timeout", "2", "--", "sleep", nap)
    assert done.code == 1, done
    assert "did not end within 2 s, and was ended there" in done.stderr
    assert not sleeps(nap)


def test_exec_is_ended_by_ctrl_c_on_the_host_too(inventory: Path) -> None:
    nap = f"600.{secrets.randbelow(10**12):012d}"
    argv = [sys.executable, "-m", "rmqops", "exec", "-i", str(inventory), "--", "sleep", nap]
    with started(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        wait_until(lambda: sleeps(nap), lambda: "nothing was started")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, ""), err
    wait_until(lambda: not sleeps(nap), lambda: "the command lives on")
    assert "Traceback" not in err


def test_an_unknown_host_is_asked_for_once_on_a_terminal(inventory: Path, host: Sshd) -> None:
    host.known_hosts.write_text("")
    refused = run(inventory, "exec", "--", "true")
    assert refused.code == 4, refused
    assert "SHA256:" in refused.stderr
    assert "--accept-new-host-keys" in refused.stderr
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "rmqops", "exec", "-i", str(inventory), "--", "echo", "hello"]
    with started(argv, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        os.write(ours, b"y\n")
        out, err = child.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert child.returncode == 0, err
    assert out == f"127.0.0.1:{host.port} | hello\n"
    assert err.count("[y/N]") == 1
    assert host.known_hosts.read_text() == f"[127.0.0.1]:{host.port} {host.host_key}\n"
    assert run(inventory, "exec", "--", "true").code == 0


def test_unknown_hosts_may_be_accepted_beforehand(inventory: Path, host: Sshd) -> None:
    host.known_hosts.unlink()
    assert run(inventory, "exec", "--accept-new-host-keys", "--", "true").code == 0
    assert host.known_hosts.read_text() == f"[127.0.0.1]:{host.port} {host.host_key}\n"


def test_a_changed_key_is_refused_whatever_is_accepted(inventory: Path, host: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    host.known_hosts.write_text(f"[127.0.0.1]:{host.port} {other}\n")
    done = run(inventory, "stop", "--accept-new-host-keys")
    assert done.code == 4, done
    assert "CHANGED" in done.stderr
    assert f"{host.known_hosts}:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_ssh_arguments_are_named(inventory: Path) -> None:
    document = yaml.safe_load(inventory.read_text())
    document["all"]["vars"]["ansible_ssh_extra_args"] = "-o RevokedHostKeys=/etc/passwd"
    inventory.write_text(yaml.safe_dump(document))
    done = run(inventory, "exec", "--", "true")
    assert done.code == 3, done
    assert "ansible_ssh_extra_args" in done.stderr
    assert "'revokedhostkeys'" in done.stderr


def test_logs_in_the_order_of_time(inventory: Path, broker_logs: Path) -> None:
    names = broker_logs.parents[1] / "names" / "logs"
    names.mkdir(parents=True)
    stamp = "2026-01-01T10:00:0{}.000Z INFO main - "
    (broker_logs / "broker.log").write_text("".join(stamp.format(n) + f"broker {n}\n" for n in (1, 3, 5)))
    (names / "namesrv.log").write_text(stamp.format(2) + "names 2\n\tat a.stack.Trace\n")
    done = run(inventory, "logs", "-n", "2")
    assert done.code == 0, done
    assert [line.split(" | ")[0].split() for line in done.stdout.splitlines()] == [
        ["names", "namesrv.log"],
        ["names", "namesrv.log"],
        ["broker", "broker.log"],
        ["broker", "broker.log"],
    ]
    assert done.stdout.splitlines()[1].endswith("| \tat a.stack.Trace")
    (broker_logs / "store.log").write_text("stored\n")
    assert run(inventory, "logs", "broker", "--file", "store.log").stdout == "broker store.log | stored\n"
    assert run(inventory, "logs", "--file", "../x").code == 2


def test_logs_of_an_instance_that_was_never_deployed(inventory: Path) -> None:
    done = run(inventory, "logs", "names")
    assert done.code == 1, done
    assert "names" in done.stderr
    assert "Traceback" not in done.stderr


def test_logs_are_followed_over_a_rotation_until_ctrl_c(
    inventory: Path, broker_logs: Path, tmp_path: Path
) -> None:
    log = broker_logs / "broker.log"
    log.write_text("one\n")
    told = tmp_path / "told"
    argv = [sys.executable, "-m", "rmqops", "logs", "-i", str(inventory), "-f", "broker"]

    def heard(text: str) -> None:
        wait_until(lambda: f"| {text}\n" in told.read_text(), told.read_text)

    with told.open("w") as sink, started(argv, stdout=sink, stderr=subprocess.PIPE, text=True) as child:
        heard("one")
        with log.open("a") as stream:
            stream.write("two\n")
        heard("two")
        log.rename(broker_logs / "broker.1.log")
        log.write_text("three\n")
        heard("three")
        (broker_logs / "console.log").write_text("a file that comes later\n")
        heard("a file that comes later")
        assert commands(str(broker_logs))
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    wait_until(lambda: not commands(str(broker_logs)), lambda: f"left on the host: {commands(str(broker_logs))}")
    assert not [pid for pid in commands("tail\0") if Path(f"/proc/{pid}/cwd").resolve() == broker_logs]


def test_facts_come_over_ssh(inventory: Path) -> None:
    done = run(inventory, "stop")
    assert done.code == 1, done
    assert "names, broker are not deployed" in done.stderr


def test_ansible_reaches_the_host_as_rmqops_does(
    inventory: Path, host: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = Path(tempfile.mkdtemp(prefix="cp-"))  # a short path: a socket's name holds 108 characters
    monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", str(sockets))

    def destroy() -> None:
        hosts = inventories.load(str(inventory)).topology.instances
        playbook.run("destroy", (str(inventory),), hosts=hosts, log=tmp_path / "log", listener=lambda _: None)

    def end_connections() -> None:
        for socket in (sockets / "rmqops").iterdir():
            subprocess.run(["ssh", "-O", "exit", "-S", str(socket), "any"], check=False, capture_output=True)

    try:
        before = host.log.count("Accepted publickey")
        destroy()
        assert host.log.count("Accepted publickey") > before
        end_connections()
        host.known_hosts.write_text("")
        with pytest.raises(OperationFailed) as caught:
            destroy()
        assert "Host key verification failed" in str(caught.value.detail)
        assert host.known_hosts.read_text() == "", "Ansible takes no key that nobody has vouched for"
    finally:
        end_connections()
        shutil.rmtree(sockets)

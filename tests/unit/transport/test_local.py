"""This machine, and what all transports have in common: quoting, time-outs, files, sudo's prompt."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqops.errors import BecomeRefused, InventoryError, OperationFailed
from rmqops.model.commands import Command
from rmqops.model.secret import Secret
from rmqops.transport import privilege, wrapping
from rmqops.transport.local import LocalTransport
from rmqops.transport.wrapping import Become
from tests.support.instances import instance

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
PASSWORD = "correct horse"

SUDO = """#!/bin/sh
# Speaks sudo's part of the protocol: -S and -p with a password, -n without one.
printf '%s\\n' "$@" > "$(dirname "$0")/argv"
ask() {
  for _ in 1 2 3; do
    printf '%s' "$prompt" >&2
    IFS= read -r given || exit 1
    [ "$given" != "correct horse" ] || return 0
    echo "Sorry, try again." >&2
  done
  exit 1
}
need=MODE
while [ "$1" != -- ]; do
  case $1 in
    -p) prompt=$2; shift;;
    -n) [ "$need" != password ] || { echo "sudo: a password is required" >&2; exit 1; };;
  esac
  shift
done
shift
case $need in
  password) echo "We trust you have received the usual lecture." >&2; ask;;
  tty) echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1;;
  stranger) echo "somebody is not in the sudoers file." >&2; exit 1;;
esac
exec "$@"
"""


@pytest.fixture
def sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program in front of the path that speaks sudo's part; write its mode into it."""
    program = tmp_path / "bin" / "sudo"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def behave(program: Path, mode: str) -> None:
    program.write_text(SUDO.replace("MODE", mode))
    program.chmod(0o755)


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, max_size=5))
def test_a_line_for_a_shell_is_the_argv_again(words: list[str]) -> None:
    line = wrapping.run(("printf", "%s\\0", *words), 30, None).line
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True)
    said = done.stdout.split(b"\n", 1)[1].split(b"\0")[:-1]
    assert said == [word.encode() for word in (words or [""])]


def test_run() -> None:
    done = LocalTransport().run(Command.shell('cat; echo "$1" >&2; exit 7', "a b", timeout=60))
    assert (done.code, done.stdout, done.stderr) == (7, "", "a b\n")
    assert LocalTransport().run(Command(("cat",), stdin="x" * 300_000)).stdout == "x" * 300_000


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_what_a_command_makes_has_its_mode_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    make = Command.shell('mkdir "$1" && : > "$1/file"', str(tmp_path / "here"))
    wrapped = wrapping.run((*make.argv[:-1], str(tmp_path / "there")), 30, None)
    before = os.umask(umask)
    try:
        LocalTransport().run(make)
        subprocess.run(wrapped.argv, check=True, capture_output=True)
    finally:
        os.umask(before)
    for made in (tmp_path / "here", tmp_path / "there"):
        assert (made.stat().st_mode & 0o777, (made / "file").stat().st_mode & 0o777) == (0o755, 0o644)


def test_what_cannot_be_started() -> None:
    with pytest.raises(OperationFailed, match="there is no program no-such-program"):
        LocalTransport().run(Command(("no-such-program",)))


def test_a_time_out_ends_the_whole_group(tmp_path: Path) -> None:
    script = "sleep 600 & echo $! > pid; wait"
    with pytest.raises(OperationFailed, match="did not end within 1 s"):
        LocalTransport().run(Command(("/bin/sh", "-c", f"cd {tmp_path}; {script}"), timeout=1))
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 30
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < end, "the child's child lives on"
        time.sleep(0.02)


def test_a_child_that_holds_the_output_is_not_waited_for() -> None:
    done = LocalTransport().run(Command.shell("sleep 20 & echo done", timeout=15))
    assert done.stdout == "done\n"


def test_put_and_get(tmp_path: Path) -> None:
    path = tmp_path / "it's"
    content = bytes(range(256)) * 1000
    LocalTransport().put(content, str(path), 0o604)
    assert LocalTransport().get(str(path)) == content
    assert path.stat().st_mode & 0o7777 == 0o604
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_cut_short_on_its_way_leaves_the_old_one(tmp_path: Path) -> None:
    from dataclasses import replace

    from rmqops.transport import files

    path = tmp_path / "file"
    path.write_text("old")
    cut = replace(files.put(b"the whole content", str(path), 0o600), stdin="the whole")
    done = LocalTransport().run(cut)
    assert (done.code, done.stderr) == (1, "the transfer was interrupted\n")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_open_and_close() -> None:
    with LocalTransport().open(Command.shell("echo one; echo two >&2; sleep 600; :")) as process:
        lines = iter(process)
        assert [next(lines), next(lines)] == ["one", "two"]
        assert process.returncode is None
    assert process.returncode == 143


def test_sudo_with_a_password(sudo: Path) -> None:
    behave(sudo, "password")
    transport = LocalTransport(Become("rocketmq", Secret(PASSWORD)))
    done = transport.run(Command(("cat",), stdin="my own input"))
    assert (done.stdout, done.stderr) == ("my own input", "")
    given = (sudo.parent / "argv").read_text()
    assert "rocketmq\n" in given
    assert PASSWORD not in given
    with transport.open(Command(("echo", "opened"))) as process:
        assert list(process) == ["opened"]


def test_a_password_that_sudo_does_not_want_is_not_the_commands_input(sudo: Path) -> None:
    behave(sudo, "nothing")
    done = LocalTransport(Become("root", Secret(PASSWORD))).run(Command(("cat",), stdin="mine"))
    assert done.stdout == "mine"


def test_the_login_user(sudo: Path) -> None:
    behave(sudo, "stranger")
    assert LocalTransport(Become()).run(Command(("true",), become=False)).ok


@pytest.mark.parametrize(
    ("mode", "password", "says", "remedy"),
    [
        ("password", "wrong", "does not take the password", "own password"),
        ("password", None, "sudo wants a password", "--ask-become-pass"),
        ("tty", PASSWORD, "sudo wants a terminal", "requiretty"),
        ("stranger", None, "sudo does not allow it", "sudoers"),
    ],
)
def test_what_sudo_refuses(sudo: Path, mode: str, password: str | None, says: str, remedy: str) -> None:
    behave(sudo, mode)
    transport = LocalTransport(Become("root", Secret(password) if password else None))
    for act in (transport.run, transport.open):
        with pytest.raises(BecomeRefused, match=says) as caught:
            act(Command(("true",)))
        assert caught.value.exit_code == 4
        assert remedy in str(caught.value.remedy)
        assert "wrong" not in f"{caught.value} {caught.value.detail}"


def test_a_machine_without_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").symlink_to(shutil.which("env") or "env")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BecomeRefused, match="there is no sudo"):
        LocalTransport(Become()).run(Command(("true",)))


def test_whom_to_become(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setattr(privilege, "_asked", [])

    def become(**variables: object) -> Become | None:
        made = instance("one", "/nowhere")
        return privilege.of(replace(made, variables={**made.variables, **variables}))  # type: ignore[dict-item]

    assert become() is None
    assert become(ansible_become=False, ansible_become_user="x") is None
    assert become(ansible_become="yes") == Become("root", None)
    own = become(ansible_become=True, ansible_become_user="rocketmq", ansible_become_password="p1")
    assert own == Become("rocketmq", Secret("p1"))
    privilege.remember(Secret("asked"))
    assert become(ansible_become=True) == Become("root", Secret("asked"))
    assert become(ansible_become=True, ansible_become_pass="p2") == Become("root", Secret("p2"))
    with pytest.raises(InventoryError, match="1 problem") as caught:
        become(ansible_become=True, ansible_become_method="doas")
    assert "ansible_become_method" in str(caught.value.detail)


def test_a_command_that_is_talked_to_has_input_two_outputs_and_ends_with_its_input() -> None:
    script = 'read -r word; echo "heard $word"; echo apart >&2; cat; exit 3'
    with LocalTransport().open(Command.shell(script), talk=True) as running:
        chunks = running.chunks()
        running.tell(b"this\n")
        said = [b"", b""]
        while said != [b"heard this\n", b"apart\n"]:
            said = [before + more for before, more in zip(said, next(chunks), strict=True)]
        code = running.returncode
        assert code is None
        running.close()
        assert list(chunks) == []
        assert running.returncode == 3
        running.tell(b"nobody hears this\n")


def test_a_command_that_is_talked_to_tells_the_signal_that_ended_it() -> None:
    with LocalTransport().open(Command.shell('kill -s KILL "$$"'), talk=True) as running:
        assert [out for out, _ in running.chunks() if out] == []
        assert running.returncode == 128 + 9


def test_who_does_not_read_what_he_is_told_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmqops.transport.running._PATIENCE", 0.1)
    with (
        LocalTransport().open(Command(("sleep", "2")), talk=True) as running,
        pytest.raises(OperationFailed, match="sleep does not read what it is told"),
    ):
        running.tell(bytes(1 << 21))


@pytest.mark.parametrize("become", [None, Become("root")])
@pytest.mark.parametrize("way", ["run", "open", "talk"])
def test_every_command_speaks_the_language_of_programs(
    become: Become | None, way: str, sudo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sudo.write_text(SUDO.replace("MODE", "nothing"))
    sudo.chmod(0o755)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    command = Command.shell('echo "$LC_ALL"')
    transport = LocalTransport(become=become)
    if way == "run":
        assert transport.run(command).stdout == "C\n"
        return
    with transport.open(command, talk=way == "talk") as running:
        assert list(running) == ["C"]

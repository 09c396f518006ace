"""Run a playbook as a process and read its events as data.

Ansible is never imported: it is run as ``ansible-playbook`` of the environment that rmqops is installed in, its
wall of text goes to a log, and a callback plug-in beside the playbooks writes one JSON line an event.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

from rmqops import assets
from rmqops.errors import OperationFailed, ToolMissing
from rmqops.model.secret import Secret
from rmqops.model.topology import Value
from rmqops.system import files as system_files
from rmqops.transport import privilege

FORKS = 10
SSH_ARGUMENTS = (
    "-o ControlMaster=auto -o ControlPersist=60s -o BatchMode=yes -o StrictHostKeyChecking=yes"
    " -o ServerAliveInterval=15 -o ServerAliveCountMax=2"
)
"""Ansible's own without -C, as the archives are compressed already; two that come before all others: ask nothing,
and verify host keys whatever else says; and how long a host may be silent in the middle of a task, without which a
frozen one holds the run for ever."""

_LEASH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Ends Ansible when rmqops is killed (PR_SET_PDEATHSIG), before the lock on the hosts is another run's to take."""

UNCHECKED = ("--skip-tags", "always")
"""Leaves out the role's check of its arguments, which takes a fifth of a second of processor a host: the inventory
has been held to the same specification. No other task has that tag."""


@dataclass(frozen=True)
class PlaybookEvent:
    """A task that starts, or its result on one host."""

    event: Literal["task", "host"]
    task: str
    host: str = ""
    status: Literal["ok", "failed", "ignored", "unreachable", ""] = ""
    changed: bool = False
    message: str = ""


Listener = Callable[[PlaybookEvent], None]


class PlaybookRunner(Protocol):
    """How a playbook is run: :func:`run`, or what a test puts in its place."""

    def __call__(
        self,
        name: str,
        inventory: str,
        *,
        log: Path,
        listener: Listener,
        variables: Mapping[str, Value] | None = None,
        limit: Sequence[str] = (),
        rendered: Mapping[str, Mapping[str, str]] | None = None,
        forks: int = FORKS,
    ) -> tuple[PlaybookEvent, ...]:
        """Run it to its end; as :func:`run`."""


def run(
    name: str,
    inventory: str,
    *,
    log: Path,
    listener: Listener,
    variables: Mapping[str, Value] | None = None,
    limit: Sequence[str] = (),
    rendered: Mapping[str, Mapping[str, str]] | None = None,
    forks: int = FORKS,
) -> tuple[PlaybookEvent, ...]:
    """Run a playbook to its end and return the results of the hosts.

    Args:
        name: The playbook, such as ``site``.
        inventory: The inventory's path.
        log: Where Ansible's own output is appended.
        listener: Told of each event as it happens.
        variables: Extra variables; they travel in a file, so no value stands on a command line.
        limit: Hosts to touch; all when empty.
        rendered: Text of each file of each host's tree; the role renders them itself when it is not given.
        forks: How many hosts are worked on at once.

    Raises:
        OperationFailed: a host failed or was not reached; names it, its task and what it said.
        ToolMissing: there is no ``ansible-playbook``.
    """
    with tempfile.TemporaryDirectory(prefix="rmqops-") as scratch:
        extra = Path(scratch, "variables.json")
        handed = dict(variables or {})
        if rendered:
            handed["rocketmq_rendered"] = scratch
            for host, files in rendered.items():
                Path(scratch, f"{host}.json").write_text(json.dumps(files), encoding="utf-8")
        extra.write_text(json.dumps(handed), encoding="utf-8")
        events = Path(scratch, "events.jsonl")
        events.touch()
        argv = [_program(), "--inventory", inventory, "--extra-vars", f"@{extra}", *UNCHECKED]
        argv += [str(_path(name))]
        if limit:
            argv += ["--limit", ",".join(limit)]
        if password := privilege.remembered():
            argv += ["--become-password-file", str(_private(Path(scratch, "become"), password))]
        log.parent.mkdir(parents=True, exist_ok=True)
        with system_files.append_private(log) as sink:
            sink.write(f"$ {' '.join(argv)}\n".encode())
            sink.flush()
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *argv],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=_environment(events, forks),
                start_new_session=True,  # Ctrl-C is ours to pass on, once
            )
            seen = _follow(process, events, listener)
    failed = [event for event in seen if event.status in {"failed", "unreachable"}]
    if process.returncode == 0 and not failed:
        return tuple(event for event in seen if event.event == "host")
    raise _failure(name, failed, log, process.returncode)


def _private(file: Path, password: Secret) -> Path:
    """Write a password where only we can read it; the directory goes when the playbook has ended."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(password.reveal().encode("utf-8", "surrogateescape") + b"\n")
    return file


def _follow(process: subprocess.Popen[bytes], events: Path, listener: Listener) -> list[PlaybookEvent]:
    seen: list[PlaybookEvent] = []
    try:
        with events.open(encoding="utf-8") as stream:
            ended = False
            while not ended:
                ended = _ended(process)
                for event in _lines(stream.read()):
                    seen.append(event)
                    listener(event)
    except BaseException:
        # Ansible passes SIGINT on to its workers; a half-written tree has no name yet, so nothing is half done.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        raise
    return seen


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return False
    return True


def _lines(text: str) -> Iterator[PlaybookEvent]:
    for line in text.splitlines():
        fields = cast("dict[str, object]", json.loads(line))
        fields.pop("time")
        yield PlaybookEvent(**fields)  # type: ignore[arg-type]


def _failure(name: str, failed: Sequence[PlaybookEvent], log: Path, code: int) -> OperationFailed:
    if not failed:
        tail = log.read_text("utf-8", errors="replace").strip().splitlines()[-12:]
        return OperationFailed(
            f"playbook {name} ended with {code}", detail="\n".join(tail), remedy=f"the whole log is {log}"
        )
    hosts = ", ".join(dict.fromkeys(event.host for event in failed))
    messages = "\n".join(f"{event.host}: {event.task}: {event.message.strip()}" for event in failed)
    return OperationFailed(
        f"playbook {name} failed on {hosts}",
        detail=messages,
        remedy=f"mend that and run the same command again; the whole log is {log}",
    )


def _path(name: str) -> Path:
    return assets.path("playbooks", f"{name}.yml")


def _program() -> str:
    program = Path(sys.executable).with_name("ansible-playbook")
    if not program.exists():
        raise ToolMissing(
            f"there is no {program}", remedy="install rmqops with its dependencies: pip install rmqops"
        )
    return str(program)


def _environment(events: Path, forks: int) -> dict[str, str]:
    chosen = {
        "ANSIBLE_CALLBACK_PLUGINS": str(assets.path("playbooks", "callback_plugins")),
        "ANSIBLE_CALLBACKS_ENABLED": "rmqops_events",
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_HOST_KEY_CHECKING": "1",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "ANSIBLE_ROLES_PATH": str(assets.path("roles")),
        "ANSIBLE_SSH_ARGS": SSH_ARGUMENTS,
        "RMQOPS_EVENTS": str(events),
    }
    return {**os.environ, **chosen}

"""Run a playbook as a process and read its events as data.

Ansible is never imported: it is run as ``ansible-playbook`` of the environment that rmqops is installed in, its
wall of text goes to a log, and a callback plug-in beside the playbooks writes one JSON line an event.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

from rmqops import assets
from rmqops.errors import OperationFailed, ToolMissing
from rmqops.model.ansible import complaint
from rmqops.model.secret import Secret
from rmqops.model.topology import Reachable, Value
from rmqops.operations.change import ansible_environment
from rmqops.system import files as system_files
from rmqops.system import scratch
from rmqops.transport import privilege

FORKS = 10
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
        inventories: tuple[str, ...],
        *,
        hosts: Sequence[Reachable],
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
    inventories: tuple[str, ...],
    *,
    hosts: Sequence[Reachable],
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
        inventories: What Ansible is given, one an ``--inventory``.
        hosts: Those of them that the playbook may touch; each is logged into as rmqops itself does it.
        log: Where Ansible's own output is appended.
        listener: Told of each event as it happens.
        variables: Extra variables; they travel in a file, so no value stands on a command line.
        limit: Hosts to touch; all when empty.
        rendered: Text of each file of each host's tree; the role renders them itself when it is not given.
        forks: How many hosts are worked on at once.

    Raises:
        OperationFailed: a host failed or was not reached; names it, its task and what it said.
        InventoryError: a host cannot be logged into as the inventory or Ansible's settings say.
        ToolMissing: there is no ``ansible-playbook``.
        PreflightFailed: this machine has no locale in UTF-8.
    """
    handed = {**(variables or {}), **ansible_environment.variables(hosts)}
    password = privilege.remembered()
    with scratch.directory("playbook") as own:
        events = own / "events.jsonl"
        environment = ansible_environment.environment(events, forks)
        extra = own / "variables.json"
        if rendered:
            handed["rocketmq_rendered"] = str(own)
            for host, files in rendered.items():
                (own / f"{host}.json").write_text(json.dumps(files), encoding="utf-8")
        extra.write_text(json.dumps(handed), encoding="utf-8")
        events.touch()
        named = [f"--inventory={source}" for source in (*inventories, *_beside(own))]
        argv = [_program(), *named, "--extra-vars", f"@{extra}", *UNCHECKED]
        argv += [str(_path(name))]
        if limit:
            argv += ["--limit", ",".join(limit)]
        pipe = _PasswordPipe(own / "become", password) if password else None
        if pipe:
            argv += ["--become-password-file", str(pipe.path)]
        log.parent.mkdir(parents=True, exist_ok=True)
        with system_files.append_private(log) as sink:
            begin = sink.tell()
            told = (f"not for this run: {item}\n" for item in ansible_environment.left_out())
            sink.write(f"$ {' '.join(argv)}\n{''.join(told)}".encode(errors="replace"))
            sink.flush()
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *argv],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is ours to pass on, once
            )
            seen = _follow(process, events, listener, pipe)
    failed = [event for event in seen if event.status in {"failed", "unreachable"}]
    if process.returncode == 0 and not failed:
        return tuple(event for event in seen if event.event == "host")
    raise _failure(name, failed, log, begin, process.returncode)


class _PasswordPipe:
    """Hands a password to who opens a pipe; it stands in no file, so nothing is left of it whoever dies."""

    def __init__(self, path: Path, password: Secret) -> None:
        self.path = path
        self._password: Secret | None = password
        os.mkfifo(path, 0o600)

    def serve(self) -> None:
        """Write it, if somebody has opened the pipe meanwhile to read it; once."""
        if self._password is None:
            return
        try:
            number = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody reads
                return
            raise
        with os.fdopen(number, "wb", buffering=0) as stream:
            stream.write(self._password.reveal().encode("utf-8", "surrogateescape") + b"\n")
        self._password = None


def _beside(own: Path) -> Iterator[str]:
    """Yield an inventory without hosts that brings the variables of the working directory.

    ``ansible-inventory`` takes those for the play's (``group_vars`` and ``host_vars`` beside it), and a play of
    ours lies elsewhere. The last inventory's stand where a play's do.
    """
    kinds = [kind for kind in ("group_vars", "host_vars") if Path(kind).is_dir()]
    if kinds:
        directory = own / "working-directory"
        directory.mkdir()
        for kind in kinds:
            (directory / kind).symlink_to(Path(kind).absolute())
        (directory / "hosts.yml").write_text("all:\n", encoding="utf-8")
        yield str(directory / "hosts.yml")


def _follow(
    process: subprocess.Popen[bytes], events: Path, listener: Listener, pipe: _PasswordPipe | None
) -> list[PlaybookEvent]:
    seen: list[PlaybookEvent] = []
    try:
        with events.open(encoding="utf-8") as stream:
            ended = False
            while not ended:
                if pipe:
                    pipe.serve()
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


def _failure(name: str, failed: Sequence[PlaybookEvent], log: Path, begin: int, code: int) -> OperationFailed:
    if not failed:
        with log.open("rb") as stream:
            stream.seek(begin)
            output = stream.read().decode("utf-8", "replace")
        said = complaint(output)
        tail = "\n".join(output.strip().splitlines()[-12:])
        reason = f": {said.splitlines()[0]}" if said else ""
        return OperationFailed(
            f"playbook {name} ended with {code}{reason}",
            detail="\n".join(said.splitlines()[1:]) or None if said else tail,
            remedy=f"the whole log is {log}",
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

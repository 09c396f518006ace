"""How many files an instance may open and how much memory it may lock, as its supervisor gives them.

A systemd unit asks for 655350 files and unlimited locked memory (``os.sh`` asks for the same). It gets no more
than ``fs.nr_open``, and in a container without CAP_SYS_RESOURCE no more than process 1 has. A detached process has
what the login has; a JVM raises its soft limit of files to the hard one by itself (``MaxFDLimit``), so that one
counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.model.rules.memory import size_text
from rmqops.model.topology import Instance
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "An instance gets enough open files, and may lock its memory where its configuration wants that."
FILES: Final = 655350
FEW: Final = 4096
"""With fewer a broker with a few hundred clients and topics runs out."""
_SYS_RESOURCE: Final = 1 << 24
_LOCKERS: Final = ("transientStorePoolEnable", "warmMapedFileEnable", "warmMappedFileEnable")
_UNLIMITED: Final = 1 << 62

_SCRIPT: Final = """
printf 'login-files '; ulimit -Hn
printf 'login-locked '; ulimit -Hl
printf 'nr-open '; cat /proc/sys/fs/nr_open
awk '
  /^Max open files/ {print "init-files", $5}
  /^Max locked memory/ {print "init-locked", $5}
  /^CapEff/ {print "init-capabilities", $2}' /proc/1/limits /proc/1/status
"""


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask for the limits of the login and of process 1."""
    yield Command.shell(_SCRIPT)


def judge(machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Hold what each kind of supervisor would give against what os.sh wants."""
    values = answers[0].values
    for supervisor in sorted({item.supervisor for item in machine.instances}):
        items = [item for item in machine.instances if item.supervisor == supervisor]
        try:
            files, locked = _systemd(values) if supervisor == "systemd" else _login(values)
        except (KeyError, ValueError):
            yield unknown("not found out", "655350 open files", "Look with `ulimit -a`", subject=supervisor)
            continue
        yield _files(files, supervisor)
        if any(_locks(item) for item in items):
            yield _locked(locked, supervisor)


def _files(files: int, supervisor: str) -> Finding:
    wanted = f"{FILES} open files"
    remedy = (
        "Raise fs.nr_open, and in a container the limit it was started with"
        if supervisor == "systemd"
        else "Raise `nofile` in /etc/security/limits.conf, and log in anew"
    )
    subject = f"open files, {supervisor}"
    found = "unlimited" if files >= _UNLIMITED else str(files)
    if files < FEW:
        return failed(found, wanted, remedy, subject=subject)
    return (
        ok(found, wanted, subject=subject) if files >= FILES else warning(found, wanted, remedy, subject=subject)
    )


def _locked(locked: int, supervisor: str) -> Finding:
    subject, wanted = (
        f"locked memory, {supervisor}",
        "unlimited: rocketmq_config makes the broker lock its buffers",
    )
    if locked >= _UNLIMITED:
        return ok("unlimited", wanted, subject=subject)
    remedy = "Raise `memlock` in /etc/security/limits.conf, and in a container the limit it was started with"
    return warning(size_text(locked), wanted, remedy, subject=subject)


def _systemd(values: dict[str, str]) -> tuple[int, int]:
    may_raise = bool(int(values["init-capabilities"], 16) & _SYS_RESOURCE)
    ceiling = _number(values["nr-open"])
    if may_raise:
        return min(FILES, ceiling), _UNLIMITED
    return min(FILES, ceiling, _number(values["init-files"])), _number(values["init-locked"])


def _login(values: dict[str, str]) -> tuple[int, int]:
    locked = _number(values["login-locked"])
    return _number(values["login-files"]), locked if locked >= _UNLIMITED else locked << 10  # ulimit counts in KiB


def _number(text: str) -> int:
    return _UNLIMITED if text == "unlimited" else int(text)


def _locks(instance: Instance) -> bool:
    config = instance.variables["rocketmq_config"]
    return isinstance(config, dict) and any(str(config.get(key, "")).lower() == "true" for key in _LOCKERS)

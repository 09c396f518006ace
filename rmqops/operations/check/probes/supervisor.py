"""What keeps the processes is there: systemd, or the tools that a detached start needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, failed, ok, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = (
    "systemd runs the machine where units are wanted; setsid, nohup and flock are there where processes "
    "are detached."
)
TYPE_EXEC = 240
"""The systemd that learnt ``Type=exec``: older ones take a unit for started before its program is found."""

_SYSTEMD: Final = """
[ ! -d /run/systemd/system ] || echo 'runs yes'
systemctl --version | { read -r _ version _ && printf 'version %s\\n' "${version%%[!0-9]*}"; }
"""
_TOOLS: Final = (
    'for tool in setsid nohup flock grep sed awk; do command -v "$tool" > /dev/null || echo "$tool"; done'
)


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask for each supervisor that an instance wants."""
    for supervisor in _supervisors(machine):
        yield Command.shell(_SYSTEMD if supervisor == "systemd" else _TOOLS)


def judge(machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Say what is missing."""
    for supervisor, answer in zip(_supervisors(machine), answers, strict=True):
        yield _systemd(answer) if supervisor == "systemd" else _tools(answer)


def _supervisors(machine: Machine) -> list[str]:
    return sorted({item.supervisor for item in machine.instances})


def _systemd(answer: Answer) -> Finding:
    wanted = f"systemd {TYPE_EXEC} or later as process 1"
    version = answer.values.get("version", "")
    if answer.values.get("runs") != "yes":
        return failed("systemd does not run this machine", wanted, "Set rocketmq_supervisor: detached")
    if re.fullmatch(r"\d+", version) and int(version) < TYPE_EXEC:
        return warning(f"systemd {version}", wanted, "It takes Type=exec for simple: look at status after a start")
    return ok(f"systemd {version}", wanted)


def _tools(answer: Answer) -> Finding:
    wanted = "setsid, nohup, flock, grep, sed and awk"
    if answer.lines:
        return failed(
            f"without {', '.join(answer.lines)}", wanted, "Install util-linux, coreutils, grep, sed and awk"
        )
    return ok("all there", wanted)

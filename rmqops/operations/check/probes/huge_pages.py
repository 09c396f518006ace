"""Transparent huge pages: with ``always``, the kernel compacts memory while a broker waits.

The drop-in for systemd-tmpfiles sets it at each boot. A container shares it with its machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Mend, Survey, ok, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "Transparent huge pages are not forced on every process, which makes pauses as memory is compacted."
WANTED = "madvise or never"
SWITCH = "/sys/kernel/mm/transparent_hugepage/enabled"
FILE = "/etc/tmpfiles.d/rocketmq.conf"

_SCRIPT: Final = """
mode=
{ read -r mode < "$1"; } 2>/dev/null
printf 'enabled %s\\n' "$mode"
case $mode in *'[always]'*) ;; *) exit 0 ;; esac
[ ! -w "$1" ] || echo 'writable yes'
printf 'container %s\\n' "$(systemd-detect-virt -c 2>/dev/null)"
"""
_MEND: Final = """
set -eu
switch=$1 file=$2
[ -f "$file" ] || {
  printf '# Written by rmqops check --apply.\\n# was: %s\\n' "$(sed 's/.*\\[\\(.*\\)\\].*/\\1/' "$switch")"
  printf 'w %s - - - - madvise\\n' "$switch"
} > "$file"
echo madvise > "$switch"
"""


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Read the switch; where it is wrong, whether it can be set, and whether the machine is a container."""
    yield Command.shell(_SCRIPT, SWITCH)


def judge(_machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Hold the switch against what is wanted; a kernel without it is as wanted."""
    mode = _mode(answers)
    if mode != "always":
        yield ok(mode, WANTED)
    elif _mendable(answers):
        yield warning(mode, WANTED, "rmqops check --apply")
    else:
        container = answers[0].values.get("container", "")
        shared = f"on the machine that runs this container ({container}), with which it is shared"
        where = shared if container not in {"", "none"} else "as root"
        yield warning(mode, WANTED, f"echo madvise > {SWITCH} {where}")


def mend(_machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Mend | None:
    """Set the switch now and at each boot."""
    if _mode(answers) != "always" or not _mendable(answers):
        return None
    return Mend(f"set {SWITCH} to madvise, now and by {FILE}", Command.shell(_MEND, SWITCH, FILE))


def _mode(answers: tuple[Answer, ...]) -> str:
    match = re.search(r"\[(\w+)\]", answers[0].values.get("enabled", ""))
    return match[1] if match else "not in this kernel"


def _mendable(answers: tuple[Answer, ...]) -> bool:
    values = answers[0].values
    return values.get("writable") == "yes" and values.get("container", "none") in {"", "none"}

"""A Java that runs the instance: the host's own, or one that travels and fits the machine.

The host's is looked for as ``bin/run.sh`` does: ``rocketmq_java_home``, ``JAVA_HOME``, the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rmqops.model.commands import Command
from rmqops.model.releases import OLDEST_JAVA, RELEASES
from rmqops.model.topology import Instance
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = (
    f"The host's Java starts and is {OLDEST_JAVA} or later and of 64 bits; a bundled one fits the machine's "
    "architecture and C library."
)
# Names in $java the Java that `bin/run.sh` starts; $java is rocketmq_java_home, or nothing.
FIND: Final = """
java=${java:-${JAVA_HOME:-}}
java=${java:+$java/bin/}java
"""
_SYSTEM: Final = f"""
java=$1
{FIND}
found=$(command -v "$java") || {{ printf 'absent %s\\n' "$java"; exit 0; }}
printf 'path %s\\n' "$(readlink -f "$found")"
"$found" -Xshare:auto -version 2>&1
"""
_BUNDLED: Final = """
printf 'machine %s\\n' "$(uname -m)"
getconf GNU_LIBC_VERSION || ls /lib/ld-musl-* | sed 's,.*/ld-,,'
"""


def ask(machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Start each Java that is named; ask what a bundled one would find."""
    for kind, home in _kinds(machine):
        if kind == "system":
            yield Command.shell(_SYSTEM, home, timeout=10)
        elif kind == "bundled":
            yield Command.shell(_BUNDLED)


def judge(machine: Machine, answers: tuple[Answer, ...], survey: Survey) -> Iterator[Finding]:
    """Hold version, architecture and C library against what is needed."""
    kinds = [item for item in _kinds(machine) if item[0] in {"system", "bundled"}]
    least = max((RELEASES[item.text("rocketmq_version")].oldest_java for item in machine.instances), default=0)
    for (kind, home), answer in zip(kinds, answers, strict=True):
        yield _system(home, least, answer) if kind == "system" else _bundled(answer, survey)


def _kinds(machine: Machine) -> list[tuple[str, str]]:
    def kind(item: Instance) -> tuple[str, str]:
        java = item.text("rocketmq_java")
        return java, item.text("rocketmq_java_home") if java == "system" else ""

    return sorted({kind(item) for item in machine.instances})


def _system(home: str, least: int, answer: Answer) -> Finding:
    wanted = f"Java {least} or later, 64 bit"
    remedy = "Install a JRE, set rocketmq_java_home, or set rocketmq_java: bundled"
    if answer.output.startswith("absent "):
        return failed(f"there is none: {answer.values['absent']}", wanted, remedy, subject=home)
    path = answer.values.get("path", "java")
    version = re.search(r' version "([^"]+)"', answer.output)
    if version is None:
        output = next(iter(answer.lines[1:]), f"it ended with {answer.code}")
        return failed(f"{path} does not run: {output[:120]}", wanted, remedy, subject=home)
    major = int(version[1].removeprefix("1.").partition(".")[0].partition("-")[0].partition("+")[0])
    found = f"{path}, version {version[1]}"
    if major < least:
        return failed(found, wanted, remedy, subject=home)
    if "64-Bit" not in answer.output:
        return failed(f"{found}, not of 64 bits", wanted, remedy, subject=home)
    return ok(found, wanted, subject=home)


def _bundled(answer: Answer, survey: Survey) -> Finding:
    wanted = f"{survey.architecture} and glibc, for the bundled Java"
    lines = [*answer.lines, "", ""]
    architecture, library = lines[0].removeprefix("machine "), lines[1]
    found = f"{architecture}, {library or 'no C library known'}"
    if not architecture:
        return unknown("not found out", wanted, "Look with `uname -m`")
    if architecture != survey.architecture:
        remedy = f"Run rmqops on a machine of {architecture}, or set rocketmq_java: system and install a JRE there"
        return failed(found, wanted, remedy)
    if not library.startswith("glibc"):
        return failed(found, wanted, "Set rocketmq_java: system and install the distribution's JRE")
    return ok(found, wanted)

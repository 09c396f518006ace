"""The options of a JVM as words: which Java each one is for, what it sets, and which flags a Java has.

An option is written as in ``jvm.options``: ``8:`` before it is for Java 8 alone, ``9-:`` for 9 and later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

OLDEST: Final = 8
NEWEST: Final = 10_000
"""Stands for any Java that is still to come."""

_OPTION: Final = re.compile(r"(?:([0-9]{1,4})(-?):)?(-[!-~](?:[ -~]*[!-~])?)", re.ASCII)
_FLAG: Final = re.compile(r"-XX:(?:([+-])([A-Za-z][A-Za-z0-9]*)|([A-Za-z][A-Za-z0-9]*)=(.*))", re.ASCII)
_AGENT: Final = re.compile(r"-(?:javaagent|agentpath):(/[^=]+)")
_LOG_FILE: Final = re.compile(r"-(?:Xloggc:|XX:LogFile=|Xlog:[^:]*:(?:file=)?)(/[^:%]+)")
_SIZED: Final = re.compile(r"(-X(?:ms|mx|mn|ss))(.*)", re.ASCII)
_PACKAGE: Final = re.compile(r"(?:jdk|java|jre|temurin|corretto|zulu)-?(?:1\.)?([0-9]{1,2})\b", re.ASCII)
_KNOWN: Final = re.compile(
    r"--|-X|-D|-agentlib:|-agentpath:|-javaagent:|-verbose|-splash:"
    r"|-(?:ea|da|esa|dsa|enable|disable)|-(?:server|client|d64|showversion)$"
)
_SIZE: Final = re.compile(r"[1-9][0-9]*[kKmMgGtT]?", re.ASCII)

COLLECTORS: Final = (
    "Serial",
    "Parallel",
    "ParallelOld",
    "ConcMarkSweep",
    "ParNew",
    "G1",
    "Z",
    "Shenandoah",
    "Epsilon",
)
_TOGETHER: Final = ({"Parallel", "ParallelOld"}, {"ConcMarkSweep", "ParNew"})
"""Pairs that are one collector for the old and the young generation."""

FLAGS: Final[Mapping[str, tuple[int, int]]] = {
    "AggressiveOpts": (8, 12),
    "CMSClassUnloadingEnabled": (8, 14),
    "CMSInitiatingOccupancyFraction": (8, 14),
    "CMSParallelRemarkEnabled": (8, 14),
    "GCLogFileSize": (8, 8),
    "MaxPermSize": (8, 16),
    "NumberOfGCLogFiles": (8, 8),
    "PermSize": (8, 16),
    "PrintAdaptiveSizePolicy": (8, 8),
    "PrintGCApplicationStoppedTime": (8, 8),
    "PrintGCDateStamps": (8, 8),
    "PrintGCTimeStamps": (8, 8),
    "PrintTenuringDistribution": (8, 8),
    "UseBiasedLocking": (8, 18),
    "UseCMSCompactAtFullCollection": (8, 8),
    "UseCMSInitiatingOccupancyOnly": (8, 14),
    "UseConcMarkSweepGC": (8, 14),
    "UseEpsilonGC": (11, NEWEST),
    "UseGCLogFileRotation": (8, 8),
    "UseParNewGC": (8, 9),
    "UseParallelOldGC": (8, 15),
    "UseZGC": (11, NEWEST),
    "ZGenerational": (21, 24),
}
"""The first and the last Java (major version) whose JVM starts with a flag, by the release notes of the JDKs: in a
later one it is an unrecognized option. Flags that every Java has, or that depend on who built it, are not here."""


@dataclass(frozen=True)
class JvmOption:
    """One option."""

    word: str
    """As the JVM is given it."""
    oldest: int
    newest: int
    """The Java versions that it is for."""

    @property
    def collector(self) -> str | None:
        """The garbage collector that it chooses, such as ``G1``."""
        name = self.word.removeprefix("-XX:+Use").removesuffix("GC")
        return name if name in COLLECTORS and self.word == f"-XX:+Use{name}GC" else None

    @property
    def flag(self) -> str | None:
        """The name of a ``-XX`` flag."""
        match = _FLAG.fullmatch(self.word)
        return (match[2] or match[3]) if match else None

    @property
    def agent(self) -> str | None:
        """The file of the agent that it loads."""
        match = _AGENT.match(self.word)
        return match[1] if match else None

    @property
    def log_file(self) -> str | None:
        """The file that it has the JVM write a log to, where that is an absolute path."""
        match = _LOG_FILE.match(self.word)
        return match[1] if match else None

    @property
    def subject(self) -> str:
        """What it sets: two options of one subject undo one another."""
        if self.flag:
            return f"-XX:{self.flag}"
        sized = _SIZED.fullmatch(self.word)
        if sized:
            return sized[1]
        return self.word.partition("=")[0] if self.word.startswith("-D") else self.word

    @property
    def malformed(self) -> str | None:
        """Return what is wrong with the word itself; None when a JVM would read it."""
        if self.word.startswith("-XX:") and self.flag is None:
            return "is no -XX flag: one is -XX:+Name, -XX:-Name or -XX:Name=value"
        sized = _SIZED.fullmatch(self.word)
        if sized and not _SIZE.fullmatch(sized[2]):
            return "has a size that is none"
        if not _KNOWN.match(self.word):
            return "is no option of a JVM"
        return None

    @property
    def lifetime(self) -> tuple[int, int] | None:
        """The first and last Java that has its flag; None where that is not known."""
        return FLAGS.get(self.flag or "")

    def meets(self, other: JvmOption) -> bool:
        """Tell whether some Java is given both."""
        return self.oldest <= other.newest and other.oldest <= self.newest

    def conflicts(self, other: JvmOption) -> bool:
        """Tell whether no JVM starts with both: two garbage collectors."""
        mine, theirs = self.collector, other.collector
        if mine is None or theirs is None or mine == theirs:
            return False
        return {mine, theirs} not in _TOGETHER and self.meets(other)


def parse(text: str) -> JvmOption | None:
    """Return an option as it stands in an inventory; None when it is none."""
    match = _OPTION.fullmatch(text)
    if match is None:
        return None
    if match[1] is None:
        return JvmOption(match[3], OLDEST, NEWEST)
    major = int(match[1])
    return JvmOption(match[3], major, NEWEST if match[2] else major)


def java_range(java: str, package: str) -> tuple[int, int]:
    """Return which Java, as far as it is known, an inventory's ``rocketmq_java`` stands for.

    Args:
        java: ``system``, ``package`` or ``bundled``.
        package: ``rocketmq_java_package``; its name says the version, as in ``openjdk-17-jre-headless``.
    """
    if java == "package":
        number = re.search(
            r"(?:jdk|java|jre|temurin|corretto|zulu)-?(?:1\.)?([0-9]{1,2})\b", package or "openjdk-17"
        )
        if number:
            return int(number[1]), int(number[1])
    return OLDEST, NEWEST

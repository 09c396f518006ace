"""Why Maven failed: its own words, the reason first, and what to do about it.

Maven prints the reason in one line of many: ``[FATAL]`` for what it cannot read, ``[ERROR]`` for the rest, bare
words where its JVM did not start. ``tests/unit/source/maven_outputs.yml`` has what each pattern comes from. Maven
is told to speak English (``maven.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rmqops.errors import SourceError

TAIL_LINES: Final = 25
"""How much of the log goes into an error."""
KILLED: Final = 137
"""The exit code of what SIGKILL ended."""

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_TOKENS: Final = re.compile(r"^(?:\[(?:ERROR|FATAL)\]\s*)+")
_HELP: Final = re.compile(r"\s*-> \[Help \d+\]$")
_BOILERPLATE: Final = re.compile(
    r"^(?:\[(?:ERROR|FATAL)\]\s*)*(?:"
    r"|To see the full stack trace of the errors.*|Re-run Maven using the -X switch.*"
    r"|For more information about the errors.*|\[Help \d+\].*|-> \[Help \d+\]"
    r"|After correcting the problems, you can resume the build.*|  ?mvn .*-rf :.*|@\s*)\s*$"
)


@dataclass(frozen=True)
class Reason:
    """One kind of failure."""

    sign: re.Pattern[str]
    """What a line of Maven's says when this is why."""
    what: str
    """What is wrong, in words that follow "Maven"."""
    remedy: str
    decisive: bool = False
    """Whether any line shows it, and not only one of an error."""


def _reason(sign: str, what: str, remedy: str, *, decisive: bool = False) -> Reason:
    return Reason(re.compile(sign), what, remedy, decisive)


REASONS: Final = (
    _reason(
        r"No space left on device|Disk quota exceeded|File too large",
        "ran out of room: no space was left on a disk",
        "make room in the cache (RMQOPS_CACHE moves it), in Maven's local repository or in /tmp",
        decisive=True,
    ),
    _reason(
        r"OutOfMemoryError|insufficient memory for the Java Runtime|GC overhead limit",
        "ran out of memory",
        "give it more, by -Xmx in MAVEN_OPTS, or free some on this machine",
        decisive=True,
    ),
    _reason(
        r"Unrecognized (?:VM )?option|Could not create the Java Virtual Machine"
        r"|Invalid (?:maximum|initial) heap|Could not reserve enough space|Conflicting collector"
        r"|Error occurred during initialization of VM",
        "did not start: its JVM takes an option amiss",
        "mend MAVEN_OPTS, JAVA_TOOL_OPTIONS, JDK_JAVA_OPTIONS or ~/.mavenrc",
        decisive=True,
    ),
    _reason(
        r"JAVA_HOME environment variable is not defined|Unable to locate the Java Runtime",
        "found no JDK",
        "name one with --jdk DIR, and look whether /etc/mavenrc or ~/.mavenrc sets JAVA_HOME",
        decisive=True,
    ),
    _reason(
        r"Non-(?:parseable|readable) (?:user |global |project )?settings|building the effective settings"
        r"|[Tt]oolchains? (?:file|configuration)|Non-(?:parseable|readable) toolchains"
        r"|settings file does not exist|toolchains file does not exist",
        "cannot read its settings",
        "mend the file at the line that it names",
    ),
    _reason(
        r"Non-(?:parseable|readable) POM|there is no POM in this directory",
        "cannot read the project that it is to build",
        "give the source release of RocketMQ, unchanged",
    ),
    _reason(
        r"Could not create local repository|Permission denied|AccessDenied|Read-only file system",
        "may not write where it must",
        "make its local repository (~/.m2/repository, or what settings.xml says) writable for this user",
    ),
    _reason(
        r"Checksum validation failed",
        "was given bytes with a wrong checksum, or with none, and takes none such",
        "the mirror of settings.xml, or a proxy on the way, gives other bytes than were published: use another",
    ),
    _reason(
        r"status: 407|[Pp]roxy authentication|Proxy Authentication Required",
        "is not let through the proxy (407)",
        "put the name and the password for the proxy into settings.xml (<proxies>)",
    ),
    _reason(
        r"status: 40[13]|authentication failed|authorization failed|Not authorized|Forbidden|Unauthorized",
        "is not let in by the repository (401 or 403)",
        "put the name and the password for the mirror into settings.xml (<servers>), or use another mirror",
    ),
    _reason(
        r"maven-default-http-blocker|Blocked mirror for repositories",
        "refuses a repository without encryption",
        "name an address with https:// in settings.xml; Maven 3.8.1 and later take no other",
    ),
    _reason(
        r"PKIX path|SSLHandshakeException|SSL message|valid certification path"
        r"|Certificate(?:Expired|NotYetValid|Exc)",
        "does not trust the repository's certificate, or speaks TLS with what does not",
        "put the certificate of the proxy or mirror into the JDK's cacerts (keytool -importcert -cacerts), "
        "and check its address in settings.xml",
    ),
    _reason(
        r"failure was cached in the local repository|resolution (?:will not be|is not) reattempted",
        "did not find something a while ago, and does not ask again today",
        "remove the *.lastUpdated files below its local repository (~/.m2/repository), and run the command again",
    ),
    _reason(
        r"in offline mode",
        "could not get what it needs from its local repository",
        "settings.xml says <offline>: take that out, or run it once on a machine with a network",
    ),
    _reason(
        r"Could not transfer (?:artifact|metadata)|Unknown host|UnknownHost|Name or service not known"
        r"|Connection (?:refused|reset|timed out)|Connect to |timed out|Premature end of|transfer failed"
        r"|Could not find artifact|No plugin found for prefix|could not be resolved"
        r"|Could not resolve dependencies",
        "could not get what it needs over the network",
        "check the network, and the mirrors and proxies in Maven's settings.xml (~/.m2/settings.xml); "
        "with everything in the caches, --offline needs no network",
    ),
    _reason(
        r"invalid flag|Unrecognized option: .*javac",
        "handed the compiler an option that it does not know",
        "mend JDK_JAVAC_OPTIONS",
    ),
    _reason(
        r"COMPILATION ERROR|Compilation failure|Fatal error compiling|no longer supported"
        r"|(?:invalid|release version) (?:source|target) release|UnsupportedClassVersionError"
        r"|release version \d+ not supported|has been compiled by a more recent version|wrong version \d+",
        "could not compile the source",
        "read the log; another JDK may help (--jdk DIR)",
    ),
)
"""The first whose sign a line of an error shows is why; the surest first."""


def failure(code: int, lines: Sequence[str], log: Path, offline: bool) -> SourceError:
    """Turn the output of a failed Maven into an error with a remedy.

    Args:
        code: Maven's exit code.
        lines: The end of what it printed.
        log: Where all of it is.
        offline: Whether it was told to use no network.
    """
    plain = [_COLOUR.sub("", line).rstrip() for line in lines]
    said = evidence(plain)
    reason = _why(plain)
    if reason is None and code == KILLED:
        reason = _reason(
            "", "was killed, as the kernel does when memory runs out", "free some memory, and see dmesg"
        )
    if reason is None:
        return SourceError(f"Maven exited with {code}; its log is {log}", remedy="read the log", detail=said)
    remedy = reason.remedy
    if offline and "in offline mode" in said:
        remedy = "run it once without --offline on a machine with a network"
    return SourceError(f"Maven {reason.what}; its log is {log}", remedy=remedy, detail=said)


def evidence(lines: Sequence[str]) -> str:
    """Return the lines that say why, what is fatal first; the last lines of all where none does."""
    fatal = _clean(line for line in lines if "[FATAL]" in line[:20])
    errors = _clean(line for line in lines if line.startswith("[ERROR]"))
    chosen = list(dict.fromkeys([*fatal, *errors]))
    return "\n".join(chosen[:TAIL_LINES] or [line for line in lines if line.strip()][-TAIL_LINES:])


def _clean(lines: Iterable[str]) -> list[str]:
    """Return the lines without Maven's advice, and each without the number of that."""
    return [_mark(_HELP.sub("", line)) for line in lines if not _BOILERPLATE.match(line)]


def _mark(line: str) -> str:
    """Return a line with one mark of how bad it is."""
    marks = _TOKENS.match(line)
    if marks is None:
        return line
    worst = "[FATAL]" if "[FATAL]" in marks.group() else "[ERROR]"
    return f"{worst} {line[marks.end() :]}"


def _why(lines: Sequence[str]) -> Reason | None:
    errors = [line for line in lines if line.startswith(("[ERROR]", "[FATAL]"))]
    for reason in REASONS:
        where = lines if reason.decisive else errors
        if any(reason.sign.search(line) for line in where):
            return reason
    return None

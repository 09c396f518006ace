"""The JDK that compiles RocketMQ: where it is and what it can do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rmqops.errors import PreflightFailed, ToolMissing
from rmqops.model.releases import OLDEST_JAVA

JVM_ROOTS: Final = (Path("/usr/lib/jvm"), Path("/usr/java"), Path("/opt/java"))
"""Where distributions and vendors put their JDKs."""

PREFERRED_MAJOR: Final = 17
"""Of several JDKs in :data:`JVM_ROOTS`, the one nearest to this is taken: RocketMQ 4.x was measured on it most."""

_REMEDY = (
    "install one, such as apt-get install openjdk-17-jdk-headless (Debian, Ubuntu) or "
    "dnf install java-17-openjdk-devel java-17-openjdk-jmods (Fedora, RHEL), or name one with --jdk DIR"
)


@dataclass(frozen=True)
class Jdk:
    """One installed JDK."""

    home: Path
    version: str
    """As the JDK says it, such as ``17.0.15`` or ``1.8.0_482``."""

    @property
    def major(self) -> int:
        """The major version: 8 for ``1.8.0_482``."""
        return major_version(self.version)

    @property
    def jlink(self) -> Path | None:
        """The program that makes runtimes; JDK 8 has none."""
        program = self.home / "bin" / "jlink"
        return program if os.access(program, os.X_OK) else None

    @property
    def identity(self) -> str:
        """What tells this JDK from any other: its ``release`` file, else its version and place."""
        release = self.home / "release"
        return release.read_text(encoding="utf-8") if release.is_file() else f"{self.version} {self.home}"


def major_version(version: str) -> int:
    """Return the major part of a Java version, 0 when there is none.

    Up to 8 a version begins with ``1.`` (JEP 223 changed that in 9).
    """
    match = re.match(r"(?:1\.)?(\d+)", version)
    return int(match[1]) if match else 0


def find_jdk(explicit: Path | None, environ: Mapping[str, str], roots: Sequence[Path] = JVM_ROOTS) -> Jdk:
    """Find a JDK: the one named, else JAVA_HOME, the ``javac`` on PATH, and the usual directories.

    A Java without ``javac`` is a JRE, and is passed over.

    Raises:
        PreflightFailed: the one named is no JDK, or older than any release takes.
        ToolMissing: there is none anywhere.
    """
    if explicit is not None:
        jdk = read_jdk(explicit, environ)
        if jdk is None or jdk.major < OLDEST_JAVA:
            raise PreflightFailed(f"{explicit} {_why_not(explicit, jdk)}", remedy=_REMEDY)
        return jdk
    candidates = []
    for where, home in _homes(environ, roots):
        jdk = read_jdk(home, environ)
        if jdk is not None and jdk.major >= OLDEST_JAVA:
            return jdk
        candidates.append(f"{where}: {home} {_why_not(home, jdk)}")
    raise ToolMissing(
        f"there is no JDK of version {OLDEST_JAVA} or later: looked at JAVA_HOME, PATH, "
        + ", ".join(map(str, roots)),
        remedy=_REMEDY,
        detail="\n".join(candidates) or None,
    )


def read_jdk(home: Path, environ: Mapping[str, str]) -> Jdk | None:
    """Read what is installed in a directory; None when it is not a JDK.

    The version comes from the ``release`` file; Debian's JDK 8 has none and is asked instead.
    """
    compiler = home / "bin" / "javac"
    if not (os.access(compiler, os.X_OK) and os.access(home / "bin" / "java", os.X_OK)):
        return None
    try:
        text = (home / "release").read_text(encoding="utf-8")
    except OSError:
        text = _ask(compiler, environ)
    match = re.search(r'^JAVA_VERSION="([^"]+)"', text, re.MULTILINE) or re.search(
        r"^javac (\S+)", text, re.MULTILINE
    )
    return Jdk(home.resolve(), match[1]) if match else None


def _ask(compiler: Path, environ: Mapping[str, str]) -> str:
    try:
        asked = subprocess.run(
            [str(compiler), "-version"],
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # JDK 8 answers on standard error, later ones on standard output.
    return asked.stdout + asked.stderr


def _homes(environ: Mapping[str, str], roots: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    if environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(environ["JAVA_HOME"])
    compiler = shutil.which("javac", path=environ.get("PATH"))
    if compiler:
        yield "PATH", Path(compiler).resolve().parents[1]
    for root in roots:
        homes = {entry.resolve() for entry in root.iterdir()} if root.is_dir() else set()
        yield from ((str(root), home) for home in sorted(homes, key=_preference))


def _preference(home: Path) -> tuple[int, str]:
    numbers = re.findall(r"\d+", home.name)
    major = int(numbers[1] if numbers[:1] == ["1"] and len(numbers) > 1 else numbers[0]) if numbers else 0
    return abs(major - PREFERRED_MAJOR), home.name


def _why_not(home: Path, jdk: Jdk | None) -> str:
    if jdk is not None:
        return f"is a JDK {jdk.version}, older than {OLDEST_JAVA}"
    if not home.is_dir():
        return "is not a directory"
    if (home / "bin" / "java").exists():
        return "is a JRE (it has java, but no javac)"
    return "is not a JDK (it has no bin/javac and bin/java)"

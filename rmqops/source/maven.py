"""Maven as a child process, and what its output means."""

from __future__ import annotations

import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqops.errors import SourceError, ToolMissing
from rmqops.model.releases import RELEASES, Release
from rmqops.source.jdk import Jdk
from rmqops.source.maven_failures import failure
from rmqops.source.process import run_logged
from rmqops.system.language import in_english

_MODULE = re.compile(r"^\[INFO\] Building (?P<name>\S.*?)\s+\[(?P<done>\d+)/(?P<total>\d+)\]$")


@dataclass(frozen=True)
class Module:
    """One module that Maven begins with."""

    name: str
    done: int
    """How many were begun before it."""
    total: int


def module_begun(line: str) -> Module | None:
    """Read the line that begins a module; None for any other.

    Maven 3.5 and later count them (``Building rocketmq-store 4.5.2 4.5.2 [6/17]``, the version named twice
    because RocketMQ's module names hold it); earlier ones do not, and then there is no progress by module.
    """
    match = _MODULE.match(line.rstrip())
    if not match:
        return None
    words = match["name"].split()
    name = " ".join(words[:-1] if len(words) > 1 else words)
    return Module(name, int(match["done"]) - 1, int(match["total"]))


def find_maven(environ: Mapping[str, str]) -> Path:
    """Find Maven: ``mvn`` on PATH, else in MAVEN_HOME or M2_HOME.

    Raises:
        ToolMissing: there is none.
    """
    on_path = shutil.which("mvn", path=environ.get("PATH"))
    if on_path:
        return Path(on_path).absolute()
    for name in ("MAVEN_HOME", "M2_HOME"):
        program = Path(environ[name], "bin", "mvn") if environ.get(name) else None
        if program and os.access(program, os.X_OK):
            return program
    raise ToolMissing(
        "there is no Maven: looked for mvn on PATH, and in MAVEN_HOME and M2_HOME",
        remedy="install it, such as apt-get install maven (Debian, Ubuntu) or dnf install maven (Fedora, RHEL)",
    )


def package_arguments(release: Release) -> tuple[str, ...]:
    """Return what Maven is told to build a release.

    Modules ask for source levels 6 and 7, which javac has dropped, hence the oldest Java that is to run it.
    ``forceJavacCompilerUse`` makes the compiler plugin (3.5.1 in every 4.x) run javac in the one way that heeds
    JDK_JAVAC_OPTIONS. ``package``, not ``install``: the modules find each other in the reactor, and the user's
    local repository stays free of them.
    """
    return (
        "-Prelease-all",
        f"-Dmaven.compiler.source={release.oldest_java}",
        f"-Dmaven.compiler.target={release.oldest_java}",
        "-Dmaven.compiler.forceJavacCompilerUse=true",
        "-Dmaven.test.skip=true",
        "package",
    )


@dataclass(frozen=True)
class Maven:
    """Maven, ready to run with one JDK; its own settings decide mirrors, proxies and the local repository.

    What it fetches must have the checksum that its repository tells (``--strict-checksums``); its default is a
    warning.
    """

    program: Path
    jdk: Jdk
    environ: Mapping[str, str]
    log: Path
    offline: bool = False
    keep_open: Sequence[int] = ()
    """Descriptors that the child inherits: the lock's."""

    def run(
        self,
        arguments: Sequence[str],
        directory: Path,
        on_line: Callable[[str], None],
        javac_options: str | None = None,
    ) -> None:
        """Run Maven to its end.

        Args:
            arguments: goals and options.
            directory: where its project is.
            on_line: called with each line of its output.
            javac_options: for the compiler, besides the user's own JDK_JAVAC_OPTIONS.

        Raises:
            SourceError: it failed; the message says why as far as its output tells, and names the log.
        """
        last: deque[str] = deque(maxlen=2000)

        def follow(line: str) -> None:
            last.append(line)
            on_line(line)

        code = run_logged(
            [
                str(self.program),
                "--batch-mode",
                "--strict-checksums",
                "-Dstyle.color=never",
                *(["--offline"] if self.offline else []),
                *arguments,
            ],
            directory=directory,
            environ=self._environment(javac_options),
            log=self.log,
            on_line=follow,
            keep_open=self.keep_open,
        )
        if code != 0:
            raise failure(code, list(last), self.log, self.offline)

    def _environment(self, javac_options: str | None) -> dict[str, str]:
        environment = in_english(self.environ)
        environment["JAVA_HOME"] = str(self.jdk.home)
        environment["MAVEN_OPTS"] = f"{self.environ.get('MAVEN_OPTS', '')} -Duser.language=en".strip()
        if javac_options:
            own = self.environ.get("JDK_JAVAC_OPTIONS", "")
            environment["JDK_JAVAC_OPTIONS"] = f"{own} {javac_options}".strip()
        return environment


def find_distribution(project: Path, version: str) -> Path:
    """Return the directory that Maven assembled: where the release has it, or one that is not known any other.

    Raises:
        SourceError: there is not exactly one.
    """
    target = project / "distribution" / "target"
    if version in RELEASES:
        patterns = [RELEASES[version].distribution.format(version=version)]
    else:
        patterns = sorted({release.distribution.format(version="*") for release in RELEASES.values()})
    homes = [
        script.parents[1]
        for pattern in patterns
        for script in target.glob(f"{pattern}/bin/mqnamesrv")
        if (script.parents[1] / "lib").is_dir()
    ]
    if len(homes) != 1:
        raise SourceError(
            f"Maven left {len(homes)} distributions in {target}, not one",
            remedy="give the source release of RocketMQ, unchanged",
        )
    return homes[0]

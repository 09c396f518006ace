"""The official Java client as a driver of the load: the sources beside this file, compiled against the release.

The client is that of the cluster's own release, from the artifact that was built for it. Its processes speak the
protocol of the native ones (``rmqops.chaos.load.clients``), so the roster and the checks do not tell them apart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePath

from rmqops.chaos.load.clients.drivers import Settings
from rmqops.chaos.load.clients.settings import write
from rmqops.errors import PreflightFailed, ToolMissing
from rmqops.model.patch_choice import PatchChoice
from rmqops.remoting.outcomes import CHECKS, NEVER_STORED
from rmqops.source.artifacts import Artifact
from rmqops.source.cache import find_artifact, unpacked
from rmqops.source.classes import compiled
from rmqops.source.jdk import Jdk, find_jdk

MAIN = "rmqops.load.Main"
LOGS = "clients"
"""In a run's directory: each client's own log, in a directory of the process's name."""

_OPEN = ("--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED")
"""What the client's Netty reaches into; Java 8 knows no such option."""


@dataclass(frozen=True)
class CompiledClient:
    """The release's client and our classes, on this machine."""

    jdk: Jdk
    artifact: Artifact
    classes: Path
    """A directory named by its content: the sources, and the release they are compiled against."""

    @property
    def library(self) -> Path:
        """The directory of the release's jars."""
        return unpacked(self.artifact) / "lib"


@dataclass(frozen=True)
class Java:
    """Processes of the official Java client on one machine."""

    java: PurePath
    """The program."""
    major: int
    """Its version."""
    classpath: str
    client: Mapping[str, int]
    """The client's settings, by its own names, in its own units (ms)."""
    shares: bool = True
    mark: str = ""
    """An option that stands on the command line of each, for whoever looks for them; none when empty."""
    silence: int = 0
    """Seconds without a word after which a process ends itself; 0 for never."""

    def argv(self, settings: Settings, run: PurePath) -> list[str]:
        """Return the command of one process."""
        document = {
            **json.loads(write(settings)),
            "client": dict(self.client),
            "refused_codes": sorted(map(int, NEVER_STORED)),
            "refused_remarks": CHECKS,
            "silence": self.silence,
        }
        return [
            str(self.java),
            *("-Xms64m", "-Xmx256m", "-Xss256k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *(_OPEN if self.major > 8 else ()),
            *([self.mark] if self.mark else ()),
            f"-Drocketmq.client.logRoot={run / LOGS / settings.name}",
            *("-cp", self.classpath, MAIN, json.dumps(document)),
        ]


def prepare(version: str, patches: PatchChoice, client: Mapping[str, int]) -> Java:
    """Return what starts processes of the release's client on this machine; raises what :func:`make` raises."""
    made = compile_client(version, patches)
    return Java(made.jdk.home / "bin" / "java", made.jdk.major, f"{made.classes}:{made.library}/*", client)


def compile_client(version: str, patches: PatchChoice) -> CompiledClient:
    """Find a JDK and the release's client, and compile our classes against it.

    Raises:
        PreflightFailed: this machine has no JDK, or the release was not built on it.
        SourceError: the classes do not compile.
    """
    try:
        jdk = find_jdk(None, os.environ)
    except ToolMissing as error:
        raise PreflightFailed(
            f"the load's driver java needs a JDK on this machine: {error.message}; nothing was touched",
            remedy=f"{error.remedy}; or use --driver native",
        ) from error
    artifact = find_artifact(version, patches)
    if artifact is None:
        raise PreflightFailed(
            f"the load's driver java needs the client of RocketMQ {version}, which was not built on this machine; "
            "nothing was touched",
            remedy=f"{' '.join(('rmqops build --version', version, *patches.options))}; or use --driver native",
        )
    return CompiledClient(jdk, artifact, compiled(_sources(), artifact, jdk))


def _sources() -> dict[str, str]:
    files = resources.files(__name__).iterdir()
    return {file.name: file.read_text("utf-8") for file in files if file.name.endswith(".java")}

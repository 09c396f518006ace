"""The official client on a client's host: the release's jars, our classes, and a Java."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from rmqops.chaos.load.clients.java import CompiledClient, Java
from rmqops.chaos.load.hosts import files
from rmqops.chaos.load.hosts.files import Archive, ClientProgram, SurveyedHost
from rmqops.errors import PreflightFailed
from rmqops.model.releases import OLDEST_JAVA
from rmqops.model.topology import Client
from rmqops.operations.check.probes.java import FIND
from rmqops.transport.base import Transport

# $own: home of a Java of the host's, or nothing
_JAVA = f"""
java=$own
printf 'machine %s\\n' "$(uname -m)"
{FIND}
program=$(command -v "$java") || exit 0
printf 'java %s\\n' "$program"
"$program" -version 2>&1 | sed -n 's/.* version "\\([^"]*\\)".*/version \\1/p'
"""


@dataclass(frozen=True)
class Jars:
    """The client of one release, with its settings."""

    made: CompiledClient
    settings: Mapping[str, int]

    def survey(self, client: Client, transport: Transport) -> SurveyedHost:
        """Find out what a client's host has and lacks; changes nothing.

        Raises:
            PreflightFailed: it has no Java that will do, and none that travels fits.
            OperationFailed: it cannot be asked.
        """
        made, bundled = self.made, client.text("rocketmq_java") == "bundled"
        runtime = made.artifact.runtime if bundled else None
        needed = [Archive(made.classes.name, lambda: _packed(made))]
        if runtime is not None:
            needed.append(Archive(runtime.name, runtime.path.read_bytes))
        facts, missing = files.survey_host(client, transport, needed, _JAVA, client.text("rocketmq_java_home"))
        if not bundled:
            java, version = PurePosixPath(facts.get("java", "")), facts.get("version", "")
        elif runtime is None:
            raise PreflightFailed(
                f"{client.name} takes the Java that travels with the release (rocketmq_java: bundled), and "
                f"RocketMQ {made.artifact.version} was built without one; nothing was touched",
                remedy=f"rmqops build --version {made.artifact.version} --runtime, or deploy, which does it",
            )
        elif runtime.machine != facts.get("machine"):
            raise PreflightFailed(
                f"{client.name} is a {facts.get('machine')}, and the Java that travels is for {runtime.machine}; "
                "nothing was touched",
                remedy="install a Java there and set rocketmq_java: system for it",
            )
        else:
            java, version = files.client_directory(client) / runtime.name / "bin" / "java", runtime.java
        number = re.match(r"(?:1\.)?(\d+)", version)
        major = int(number[1]) if number else 0
        if major < OLDEST_JAVA:
            has = f"Java {version}" if version else "no Java that runs"
            raise PreflightFailed(
                f"{client.name} has {has}, and the official client needs {OLDEST_JAVA} or later; "
                "nothing was touched",
                remedy="install one there, set rocketmq_java_home, or set rocketmq_java: bundled for it",
            )
        load = files.client_directory(client) / made.classes.name
        return SurveyedHost(client, transport, self._program(java, major, load), facts["user"], missing)

    def _program(self, java: PurePosixPath, major: int, load: PurePosixPath) -> ClientProgram:
        classpath = f"{load / 'classes'}:{load / 'lib'}/*"
        options = ("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", str(load / "classes"))
        return ClientProgram(
            lambda mark, silence: Java(java, major, classpath, self.settings, mark=mark, silence=silence),
            (str(java), *options, "rmqops.load.Clock"),
        )


def _packed(made: CompiledClient) -> bytes:
    """Return the release's jars and our classes as an archive; jars are packed already, so hardly any more."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        archive.add(made.library, "load/lib")
        archive.add(made.classes, "load/classes")
    return buffer.getvalue()

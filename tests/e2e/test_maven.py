"""The Maven of this machine, brought to fail, and what it has brought of the jars that are pinned."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from rmqops.errors import SourceError
from rmqops.source import pinned_jars
from rmqops.source.build import ensure_artifact
from rmqops.source.jdk import find_jdk
from rmqops.source.maven import Maven
from rmqops.source.patching import chosen

pytestmark = pytest.mark.e2e

POM = (
    "<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>b</artifactId><version>1</version>"
)
SETTINGS = (
    "<settings><localRepository>{repository}</localRepository><mirrors><mirror><id>ours</id><mirrorOf>*</mirrorOf>"
    "<url>http://localhost:{port}/r</url></mirror></mirrors></settings>"
)


class Liar(BaseHTTPRequestHandler):
    """Gives any file, with a checksum that is not its own."""

    def do_GET(self) -> None:
        body = b"0" * 40 if self.path.endswith((".sha1", ".md5")) else f"{POM}</project>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def liar() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def real_failure(directory: Path, settings: str) -> SourceError:
    """Run this machine's Maven on a project that needs a plug-in, in a language that is not English."""
    program = shutil.which("mvn")
    if program is None:
        pytest.skip("there is no Maven")
    (directory / "pom.xml").write_text(f"{POM}</project>")
    (directory / "settings.xml").write_text(settings)
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "ja", "MAVEN_OPTS": "-Duser.language=ja"}
    maven = Maven(Path(program), find_jdk(None, os.environ), environ, directory / "log")
    with pytest.raises(SourceError) as caught:
        maven.run(["-s", str(directory / "settings.xml"), "package"], directory, lambda _line: None)
    return caught.value


def test_the_real_maven_and_settings_that_are_no_xml(tmp_path: Path) -> None:
    error = real_failure(tmp_path, "<settings><mirrors></settings>")
    assert "cannot read its settings" in error.message
    assert f"Non-parseable settings {tmp_path}/settings.xml" in str(error.detail).splitlines()[0]


def test_the_real_maven_and_a_checksum_that_is_wrong(tmp_path: Path, liar: int) -> None:
    error = real_failure(tmp_path, SETTINGS.format(repository=tmp_path / "repository", port=liar))
    assert "a wrong checksum" in error.message
    assert "expected 0000000000000000000000000000000000000000 but is" in str(error.detail)


def test_the_real_maven_and_a_mirror_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        error = real_failure(tmp_path, SETTINGS.format(repository=tmp_path / "repository", port=port))
    assert "over the network" in error.message
    assert "Connection refused" in str(error.detail)


def test_the_artifact_that_is_there_has_the_pinned_jars(rocketmq_home: Path) -> None:
    artifact = ensure_artifact()
    assert artifact.pins == pinned_jars.identity(chosen(artifact.version))
    held = pinned_jars.held(replace(artifact, pins=""), chosen(artifact.version))
    assert held == artifact
    assert {jar.name for jar in rocketmq_home.glob("lib/*.jar")} >= set(
        pinned_jars.expected(chosen(artifact.version)) or {"": ""}
    )

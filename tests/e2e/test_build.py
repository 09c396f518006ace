"""Real builds of 4.5.2: one of them whole, everything else derived from it. A killed one: tests/soak/builds.py."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rmqops.model.releases import DEFAULT_VERSION, RELEASES, Release
from rmqops.source.artifacts import Artifact
from rmqops.source.build import ensure_artifact
from rmqops.source.cache import Cache, find_artifact, unpacked
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

VERSION = DEFAULT_VERSION
PINNED = RELEASES[VERSION].sha512
BUILD = (sys.executable, "-m", "rmqops", "build")
OPENED = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in ("java.nio", "sun.nio.ch", "jdk.internal.ref", "java.lang")
]
WHOLE = 600.0
"""Seconds that a whole build may take on a busy machine."""


@dataclass(frozen=True)
class Built:
    """The cache of the session's first build, and what that said."""

    cache: Cache
    answer: dict[str, Any]
    progress: str

    @property
    def zip(self) -> Path:
        return self.cache.source(VERSION, PINNED)


def build(
    cache: Path, *arguments: str, timeout: float = WHOLE, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BUILD, *arguments],
        env={**os.environ, "RMQOPS_CACHE": str(cache), **environ},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start(cache: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*BUILD, *arguments],
        env={**os.environ, "RMQOPS_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read the progress of a build until a line holds a text."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return
    raise AssertionError(f"{text!r} was never said, but {lines}")


@pytest.fixture(scope="module")
def built(rocketmq_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build anew, once no other build fills Maven's repository."""
    root = tmp_path_factory.mktemp("build") / "cache"
    done = build(root, "--runtime", "--json")
    assert done.returncode == 0, done.stderr
    return Built(Cache(root), json.loads(done.stdout), done.stderr)


def test_a_fresh_build_says_what_it_made(built: Built) -> None:
    answer = built.answer
    assert answer["compiled"] is True
    assert answer["oldest_java"] == 8
    assert answer["source_sha512"] == PINNED
    assert Path(answer["path"]).stat().st_size == answer["size"] > 10_000_000
    assert f"[17/17] compiling rocketmq-distribution {VERSION}" in built.progress
    assert "BUILD SUCCESS" in Path(answer["log"]).read_text()
    assert not (built.cache.root / "work").exists()


def distribution(version: str, built: Built) -> tuple[Artifact, Path]:
    """Return a release, built: the default one by this module, any other for all tests that need it."""
    if version == VERSION:
        artifact = find_artifact(VERSION, cache=built.cache)
        assert artifact is not None
        return artifact, unpacked(artifact, built.cache)
    artifact = ensure_artifact(version)
    return artifact, unpacked(artifact)


@pytest.mark.parametrize("version", RELEASES)
def test_the_artifact_is_a_whole_distribution(built: Built, version: str) -> None:
    artifact, home = distribution(version, built)
    assert {"bin", "conf", "lib", "benchmark", "LICENSE", "NOTICE"} <= {entry.name for entry in home.iterdir()}
    assert os.access(home / "bin/mqnamesrv", os.X_OK)
    assert (home / f"lib/rocketmq-broker-{version}.jar").is_file()
    assert artifact.oldest_java == RELEASES[version].oldest_java


@pytest.mark.parametrize("release", RELEASES.values(), ids=lambda release: release.version)
def test_a_release_is_what_the_table_says(built: Built, release: Release) -> None:
    _, home = distribution(release.version, built)
    expected = [f"dledger-{release.dledger}.jar"] if release.dledger else []
    assert [path.name for path in home.glob("lib/dledger-*.jar")] == expected
    common = home / f"lib/rocketmq-common-{release.version}.jar"
    constants = javap(common, "org.apache.rocketmq.common.MQVersion$Version")
    names = re.findall(r"public static final org\.apache\.rocketmq\.common\.MQVersion\$Version (\w+);", constants)
    assert names.index(f"V{release.version.replace('.', '_')}") == release.version_code


def javap(jar: Path, name: str) -> str:
    """Return what a class has, in the order of its file."""
    return subprocess.run(["javap", "-cp", str(jar), name], capture_output=True, text=True, check=True).stdout


def test_the_classes_call_nothing_that_java_8_lacks(built: Built) -> None:
    artifact = find_artifact(VERSION, cache=built.cache)
    assert artifact is not None
    lib = unpacked(artifact, built.cache) / "lib"
    for jar, name in [
        ("remoting", "org.apache.rocketmq.remoting.protocol.RemotingCommand"),
        ("store", "org.apache.rocketmq.store.MappedFile"),
    ]:
        code = subprocess.run(
            ["javap", "-c", "-p", "-v", "-cp", str(lib / f"rocketmq-{jar}-{VERSION}.jar"), name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        calls = set(re.findall(r"java/nio/(?:Mapped)?ByteBuffer\.(?:flip|slice|position|limit):\S+", code))
        assert calls
        assert {call.rpartition(")")[2] for call in calls if ".slice:" in call} <= {"Ljava/nio/ByteBuffer;"}
        assert {call.rpartition(")")[2] for call in calls if ".slice:" not in call} <= {"Ljava/nio/Buffer;", "I"}
        assert "major version: 52" in code


def test_a_second_build_is_immediate(built: Built) -> None:
    done = build(built.cache.root, "--json")
    answer = json.loads(done.stdout)
    assert answer["compiled"] is False
    assert answer["sha256"] == built.answer["sha256"]
    assert done.stderr == ""


@pytest.mark.parametrize("version", RELEASES)
def test_a_name_server_runs_on_the_runtime(built: Built, tmp_path: Path, version: str) -> None:
    artifact = find_artifact(VERSION, cache=built.cache)
    assert artifact is not None
    assert artifact.runtime is not None
    (_, home), java = distribution(version, built), unpacked(artifact.runtime, built.cache)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "namesrv.p").write_text(f"listenPort={port}\n")
    with (tmp_path / "out").open("w") as output:
        server = subprocess.Popen(
            [
                *(str(java / "bin/java"), "-Xmx128m", *OPENED, f"-Duser.home={tmp_path}"),
                *("-cp", f"{home}/conf:{home}/lib/*", "org.apache.rocketmq.namesrv.NamesrvStartup"),
                *("-c", str(tmp_path / "namesrv.p")),
            ],
            env={"ROCKETMQ_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: "boot success" in (tmp_path / "out").read_text(), "the NameServer boots")
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
    finally:
        server.terminate()
        server.wait(30)


def test_a_corrupt_zip_is_refused_and_not_kept(built: Built, tmp_path: Path) -> None:
    content = bytearray(built.zip.read_bytes())
    content[1000] ^= 1
    (tmp_path / "corrupt.zip").write_bytes(bytes(content))
    done = build(tmp_path / "cache", "--source", str(tmp_path / "corrupt.zip"))
    assert done.returncode == 1
    assert PINNED in done.stderr
    assert len(set(re.findall(r"[0-9a-f]{128}", done.stderr))) == 2
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("missing", "remedy"), [("mvn", "apt-get install maven"), ("jdk", "apt-get install openjdk")]
)
def test_a_missing_tool_says_how_to_get_it(built: Built, tmp_path: Path, missing: str, remedy: str) -> None:
    (tmp_path / "bin").mkdir()
    if missing == "jdk":
        (tmp_path / "jre/bin").mkdir(parents=True)
        (tmp_path / "jre/bin/java").symlink_to("/bin/true")
        done = build(tmp_path / "cache", "--jdk", str(tmp_path / "jre"))
    else:
        done = build(tmp_path / "cache", PATH=str(tmp_path / "bin"), MAVEN_HOME="", M2_HOME="")
    assert done.returncode == 4
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr


def test_no_network_names_every_way_it_tried(tmp_path: Path) -> None:
    closed = "http://127.0.0.1:1"
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2/settings.xml").write_text(
        "<settings><mirrors><mirror><id>closed</id><mirrorOf>*</mirrorOf>"
        f"<url>{closed}</url></mirror></mirrors></settings>"
    )
    done = build(
        tmp_path / "cache",
        MAVEN_OPTS=f"-Duser.home={tmp_path}",
        MAVEN_ARGS="",
        https_proxy=closed,
        HTTPS_PROXY=closed,
        no_proxy="",
        NO_PROXY="",
    )
    assert done.returncode == 1
    assert "Maven did not fetch" in done.stderr
    assert "https://archive.apache.org" in done.stderr
    assert "remedy: check the network" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "cache/sources").iterdir())


@contextmanager
def small_disk(tmp_path: Path, size: str) -> Iterator[list[str]]:
    """Yield a command that runs another one with ``tmp_path/disk`` on a file system of a few megabytes."""
    (tmp_path / "disk").mkdir()
    user = [] if os.getuid() == 0 else ["--map-root-user"]
    mount = f'mount -t tmpfs -o size={size} tmpfs {tmp_path}/disk && exec "$@"'
    yield ["unshare", *user, "--mount", "sh", "-c", mount, "sh"]


def fill(path: Path) -> None:
    """Write until nothing more goes onto the disk."""
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(1 << 16))
    assert shutil.disk_usage(path.parent).free == 0


def test_a_disk_that_fills_up_is_said(built: Built, tmp_path: Path) -> None:
    with small_disk(tmp_path, "135m") as inside:
        process = subprocess.Popen(
            [*inside, *BUILD, "--source", str(built.zip), "--offline"],
            env={**os.environ, "RMQOPS_CACHE": str(tmp_path / "disk/cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        read_until(process, "compiling rocketmq-remoting")
        disk = Path(f"/proc/{process.pid}/root{tmp_path}/disk")
        fill(disk / "filler")
        assert process.stderr is not None
        said = process.stderr.read()
        process.communicate(timeout=WHOLE)
    assert process.returncode == 1, said
    assert "no space" in said
    assert "remedy: make room" in said
    assert "Traceback" not in said


def test_a_disk_that_is_too_small_is_said_at_once(built: Built, tmp_path: Path) -> None:
    with small_disk(tmp_path, "20m") as inside:
        done = subprocess.run(
            [*inside, *BUILD, "--source", str(built.zip), "--offline"],
            env={**os.environ, "RMQOPS_CACHE": str(tmp_path / "disk/cache")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 4
    assert "MB free, but this takes 120 MB" in done.stderr


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make two key pairs, ``mine`` and ``other``, and export their public keys."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    for name in ("mine", "other"):
        gpg(home, "--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign")
        (home / f"{name}.asc").write_bytes(gpg(home, "--armor", "--export", f"{name}@example.org"))
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)


def gpg(home: Path, *arguments: str) -> bytes:
    done = subprocess.run(
        ["gpg", "--homedir", str(home), "--batch", "--yes", *arguments], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def sign(home: Path, archive: Path) -> None:
    signature = f"{archive}.asc"
    gpg(home, "--armor", "--local-user", "mine@example.org", "--output", signature, "--detach-sign", str(archive))


@pytest.mark.parametrize("ring", ["mine.asc", "pubring.kbx"])
def test_a_good_signature_is_said(built: Built, keys: Path, tmp_path: Path, ring: str) -> None:
    shutil.copy(built.zip, tmp_path / "release.zip")
    sign(keys, tmp_path / "release.zip")
    done = build(
        built.cache.root, "--source", str(tmp_path / "release.zip"), "--keyring", str(keys / ring), "--json"
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert re.fullmatch(r"[0-9A-F]{40}", answer["signed_by"])
    assert answer["compiled"] is False


def test_a_signature_by_another_key_is_refused(built: Built, keys: Path, tmp_path: Path) -> None:
    shutil.copy(built.zip, tmp_path / "release.zip")
    sign(keys, tmp_path / "release.zip")
    done = build(built.cache.root, "--source", str(tmp_path / "release.zip"), "--keyring", str(keys / "other.asc"))
    assert done.returncode == 1
    assert f"which is not in {keys / 'other.asc'}" in done.stderr


def test_a_signature_of_other_bytes_is_refused(built: Built, keys: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other bytes")
    sign(keys, tmp_path / "other")
    shutil.copy(built.zip, tmp_path / "release.zip")
    shutil.copy(tmp_path / "other.asc", tmp_path / "release.zip.asc")
    done = build(built.cache.root, "--source", str(tmp_path / "release.zip"), "--keyring", str(keys / "mine.asc"))
    assert done.returncode == 1
    assert "it was made for other bytes" in done.stderr


def test_no_signature_and_no_keys_are_said(built: Built, keys: Path, tmp_path: Path) -> None:
    shutil.copy(built.zip, tmp_path / "release.zip")
    source = ("--source", str(tmp_path / "release.zip"))
    unsigned = build(built.cache.root, *source, "--keyring", str(keys / "mine.asc"))
    assert unsigned.returncode == 1
    assert f"there is no file {tmp_path}/release.zip.asc" in unsigned.stderr
    sign(keys, tmp_path / "release.zip")
    (tmp_path / "keys").write_text("no keys")
    keyless = build(built.cache.root, *source, "--keyring", str(tmp_path / "keys"))
    assert keyless.returncode == 1
    assert "holds no OpenPGP keys" in keyless.stderr


def test_the_publishers_signature_comes_from_maven(built: Built, keys: Path) -> None:
    done = build(built.cache.root, "--keyring", str(keys / "mine.asc"))
    assert done.returncode == 1
    assert re.search(r"made with key [0-9A-F]{16}, which is not in", done.stderr), done.stderr

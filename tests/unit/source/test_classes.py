"""Our own Java, compiled once for each content, by a ``javac`` that costs nothing: a script that copies."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from rmqops.errors import SourceError
from rmqops.model.releases import DEFAULT_VERSION, OLDEST_JAVA
from rmqops.source.artifacts import Artifact
from rmqops.source.cache import Cache
from rmqops.source.classes import compiled
from rmqops.source.digest import file_digest
from rmqops.source.jdk import Jdk

from .conftest import write_program

JAVAC = """#!/bin/sh
echo "$*" >> {calls}
[ -z "{failure}" ] || {{ echo "{failure}"; exit 1; }}
for word; do
  [ "$previous" != -d ] || target=$word
  previous=$word
done
for word; do
  case $word in *.java) cp "$word" "$target/$(basename "$word" .java).class" ;; esac
done
"""


class Bench:
    """A cache with a release in it, and a JDK."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = Cache(root / "cache")
        self.calls = root / "calls"

    def release(self, content: str = "jar") -> Artifact:
        tree = self.root / "tree" / content / f"rocketmq-{DEFAULT_VERSION}"
        (tree / "lib").mkdir(parents=True)
        (tree / "lib" / "client.jar").write_text(content)
        archive = self.cache.artifacts / f"rocketmq-{content}.tar.gz"
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(tree, tree.name)
        digest = file_digest(archive, "sha256")
        return Artifact(
            version=DEFAULT_VERSION,
            name=f"rocketmq-{DEFAULT_VERSION}-{digest[:16]}",
            path=archive,
            digest=digest,
            size=archive.stat().st_size,
            source_sha512="0" * 128,
            jdk="17.0.1",
            oldest_java=OLDEST_JAVA,
            built="2026-01-01T00:00:00+00:00",
            log=self.root / "log",
        )

    def jdk(self, version: str = "17.0.1", failure: str = "") -> Jdk:
        write_program(self.root / "jdk" / "bin" / "javac", JAVAC.format(calls=self.calls, failure=failure))
        return Jdk(self.root / "jdk", version)

    def times_compiled(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_sources_are_compiled_once_against_the_jars_of_the_release(bench: Bench) -> None:
    release = bench.release()
    target = compiled({"A.java": "a", "B.java": "b"}, release, bench.jdk(), bench.cache)
    assert {path.name: path.read_text() for path in target.iterdir()} == {"A.class": "a", "B.class": "b"}
    assert compiled({"B.java": "b", "A.java": "a"}, release, bench.jdk(), bench.cache) == target
    assert bench.times_compiled() == 1
    arguments = bench.calls.read_text()
    assert f"-cp {bench.cache.root}/unpacked/{release.name}/lib/*" in arguments
    assert f"--release {OLDEST_JAVA}" in arguments


def test_other_sources_and_another_release_are_compiled_anew(bench: Bench) -> None:
    targets = {
        compiled({"A.java": "a"}, bench.release(), bench.jdk(), bench.cache),
        compiled({"A.java": "b"}, bench.release("again"), bench.jdk(), bench.cache),
        compiled({"A.java": "b"}, bench.release("other"), bench.jdk(), bench.cache),
    }
    assert len(targets) == bench.times_compiled() == 3


def test_a_jdk_of_the_oldest_java_needs_no_release_option(bench: Bench) -> None:
    compiled({"A.java": "a"}, bench.release(), bench.jdk("1.8.0_482"), bench.cache)
    assert "--release" not in bench.calls.read_text()


def test_sources_that_do_not_compile_leave_nothing(bench: Bench) -> None:
    release = bench.release()
    with pytest.raises(SourceError, match="do not compile against") as caught:
        compiled({"A.java": "a"}, release, bench.jdk(failure="A.java:1: error"), bench.cache)
    assert caught.value.detail == "A.java:1: error"
    assert list((bench.cache.root / "classes").iterdir()) == []
    assert compiled({"A.java": "a"}, release, bench.jdk(), bench.cache).is_dir()


def test_a_compiler_that_cannot_be_started_is_said(bench: Bench) -> None:
    with pytest.raises(SourceError, match="cannot compile"):
        compiled({"A.java": "a"}, bench.release(), Jdk(bench.root / "none", "17.0.1"), bench.cache)

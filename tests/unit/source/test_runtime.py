"""A runtime by a ``jlink`` that costs nothing: what it is told, and what its failure says."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.errors import PreflightFailed, SourceError
from rmqops.model.releases import RELEASES
from rmqops.source.jdk import Jdk
from rmqops.source.runtime import make_runtime, require_jlink, runtime_identity

from .conftest import write_program

MODULES = next(iter(RELEASES.values())).runtime_modules


def make(root: Path, script: str) -> None:
    write_program(root / "jdk" / "bin" / "jlink", f"#!/bin/sh\n{script}\n")
    environ = {"PATH": "/usr/bin:/bin"}
    make_runtime(Jdk(root / "jdk", "17.0.1"), MODULES, root / "java", environ=environ, log=root / "log")


def test_jlink_is_told_the_modules_and_the_place(tmp_path: Path) -> None:
    make(tmp_path, f'echo "$*" > {tmp_path}/arguments')
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[arguments.index("--add-modules") + 1].split(",") == list(MODULES)
    assert arguments[-2:] == ["--output", str(tmp_path / "java")]


def test_a_runtime_is_known_by_its_jdk_and_its_modules(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "release").write_text('JAVA_VERSION="17.0.1"')
    jdk, other = Jdk(tmp_path / "a", "17.0.1"), Jdk(tmp_path / "b", "17.0.1")
    identities = [
        runtime_identity(jdk, MODULES),
        runtime_identity(other, MODULES),
        runtime_identity(jdk, ["java.base"]),
    ]
    assert len(set(identities)) == 3
    assert runtime_identity(jdk, MODULES) == identities[0]


def test_a_failure_says_what_jlink_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"jlink of .*/jdk exited with 3; its log is .*/log") as caught:
        make(tmp_path, "echo 'Error: Module jdk.sctp not found'; exit 3")
    assert caught.value.detail == "Error: Module jdk.sctp not found"
    assert "Module jdk.sctp not found" in (tmp_path / "log").read_text()


def test_a_jdk_without_jlink_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreflightFailed, match="has no jlink"):
        require_jlink(Jdk(tmp_path, "1.8.0_482"))

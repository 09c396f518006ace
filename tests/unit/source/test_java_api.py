"""The classes of Java 8, picked from a JDK's symbol file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from rmqops.source.java_api import extract_java8, java8_classes, oldest_target
from rmqops.source.jdk import Jdk


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ("87/java.base/java/nio/ByteBuffer.sig", "java/nio/ByteBuffer.class"),
        ("876/java/nio/ByteBuffer.sig", "java/nio/ByteBuffer.class"),
        ("89ABCDEFGHIJKLMNOPQRS@/java.base/java/lang/Void.sig", "java/lang/Void.class"),
        ("9A/java.base/java/nio/ByteBuffer.sig", None),
        ("DEF/java.base/java/nio/ByteBuffer.sig", None),
        ("8/java.desktop/javax/swing/Box.sig", None),
        ("8/jdk.unsupported/sun/misc/Unsafe.sig", None),
        ("8-modules/java.base/module-info.sig", None),
        ("87/java.base/java/nio/", None),
        ("META-INF/MANIFEST.MF", None),
    ],
)
def test_an_entry_is_java_8s_or_not(entry: str, place: str | None) -> None:
    assert [found for _, found in java8_classes([entry])] == ([place] if place else [])


def test_the_classes_are_written(tmp_path: Path) -> None:
    (tmp_path / "jdk/lib").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "jdk/lib/ct.sym", "w") as symbols:
        symbols.writestr("8/java.base/java/nio/ByteBuffer.sig", b"eight")
        symbols.writestr("9A/java.base/java/nio/ByteBuffer.sig", b"nine")
    assert extract_java8(Jdk(tmp_path / "jdk", "17.0.1"), tmp_path / "out")
    assert (tmp_path / "out/java/nio/ByteBuffer.class").read_bytes() == b"eight"


def test_a_jdk_without_them_is_said(tmp_path: Path) -> None:
    assert not extract_java8(Jdk(tmp_path, "17.0.1"), tmp_path / "out")
    (tmp_path / "lib").mkdir()
    with zipfile.ZipFile(tmp_path / "lib/ct.sym", "w") as symbols:
        symbols.writestr("9A/java.base/java/nio/ByteBuffer.sig", b"nine")
    assert not extract_java8(Jdk(tmp_path, "40"), tmp_path / "out")


@pytest.mark.parametrize(
    ("version", "java8", "oldest"),
    [("1.8.0_482", False, 8), ("17.0.1", True, 8), ("11.0.2", False, 9), ("17.0.1", False, 17), ("28", False, 17)],
)
def test_the_oldest_java_that_runs_it(version: str, java8: bool, oldest: int) -> None:
    assert oldest_target(Jdk(Path("/jdk"), version), java8) == oldest

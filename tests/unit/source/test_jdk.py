"""Which JDK is taken, from trees that look like those of distributions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rmqops.errors import PreflightFailed, ToolMissing
from rmqops.source.jdk import find_jdk, major_version, read_jdk

from .conftest import write_program


def jdk(home: Path, version: str) -> Path:
    for program in ("java", "javac"):
        write_program(home / "bin" / program, "#!/bin/sh\n")
    (home / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\nOS_ARCH="x86_64"\n')
    return home


def jre(home: Path) -> Path:
    write_program(home / "bin" / "java", "#!/bin/sh\n")
    (home / "release").write_text('JAVA_VERSION="17.0.1"\n')
    return home


@pytest.mark.parametrize(
    ("version", "major"), [("1.8.0_482", 8), ("9", 9), ("11.0.2", 11), ("17.0.15", 17), ("28-ea", 28), ("x", 0)]
)
def test_the_major_version(version: str, major: int) -> None:
    assert major_version(version) == major


def test_the_one_named_is_taken(tmp_path: Path) -> None:
    named = jdk(tmp_path / "named", "21.0.1")
    home = jdk(tmp_path / "home", "17.0.1")
    assert find_jdk(named, {"JAVA_HOME": str(home)}, []).home == named


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    home = jdk(tmp_path / "home", "11.0.2")
    other = jdk(tmp_path / "other", "17.0.1")
    assert find_jdk(None, {"JAVA_HOME": str(home), "PATH": str(other / "bin")}, []).version == "11.0.2"


def test_a_jre_in_java_home_is_passed_over(tmp_path: Path) -> None:
    environ = {"JAVA_HOME": str(jre(tmp_path / "jre")), "PATH": str(jdk(tmp_path / "other", "17.0.1") / "bin")}
    assert find_jdk(None, environ, []).home == tmp_path / "other"


def test_the_compiler_on_path_is_followed_to_its_home(tmp_path: Path) -> None:
    home = jdk(tmp_path / "jvm/real", "17.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/javac").symlink_to(home / "bin/javac")
    assert find_jdk(None, {"PATH": str(tmp_path / "bin")}, []).home == home


def test_of_several_the_nearest_to_17_is_taken(tmp_path: Path) -> None:
    for name, version in [
        ("java-8-openjdk-amd64", "1.8.0_482"),
        ("temurin-25-jdk-amd64", "25.0.3"),
        ("java-1.21.0-openjdk-amd64", "21.0.1"),
    ]:
        jdk(tmp_path / name, version)
    jre(tmp_path / "java-17-openjdk-amd64")
    assert find_jdk(None, {"PATH": ""}, [tmp_path]).version == "21.0.1"


def test_debians_jdk_8_has_no_release_file_and_is_asked(tmp_path: Path) -> None:
    home = jdk(tmp_path / "java-8", "unused")
    (home / "release").unlink()
    write_program(home / "bin" / "javac", "#!/bin/sh\necho javac 1.8.0_482 >&2\n")
    found = read_jdk(home, {"PATH": "/usr/bin:/bin"})
    assert found is not None
    assert (found.version, found.major, found.jlink) == ("1.8.0_482", 8, None)


def test_a_compiler_that_hangs_or_fails_is_no_jdk(tmp_path: Path) -> None:
    home = jdk(tmp_path / "broken", "unused")
    (home / "release").unlink()
    write_program(home / "bin" / "javac", "not a program")
    assert read_jdk(home, {"PATH": ""}) is None


def empty(home: Path) -> Path:
    home.mkdir()
    return home


def old(home: Path) -> Path:
    return jdk(home, "1.7.0_80")


def missing(home: Path) -> Path:
    return home


@pytest.mark.parametrize(
    ("make", "why"),
    [(missing, "is not a directory"), (jre, "is a JRE"), (old, "older than 8"), (empty, "is not a JDK")],
)
def test_one_named_that_will_not_do_is_refused_with_the_reason(
    tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    with pytest.raises(PreflightFailed, match=why):
        find_jdk(make(tmp_path / "named"), {"JAVA_HOME": str(jdk(tmp_path / "home", "17.0.1"))}, [])


def test_none_at_all_says_where_it_looked_and_how_to_get_one(tmp_path: Path) -> None:
    environ = {"JAVA_HOME": str(jre(tmp_path / "jre")), "PATH": ""}
    with pytest.raises(ToolMissing) as caught:
        find_jdk(None, environ, [tmp_path / "none"])
    assert caught.value.exit_code == 4
    assert "apt-get install" in str(caught.value.remedy)
    assert f"JAVA_HOME: {tmp_path / 'jre'} is a JRE" in str(caught.value.detail)

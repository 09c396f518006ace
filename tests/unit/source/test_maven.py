"""What Maven's output means, and where Maven is."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.errors import SourceError, ToolMissing
from rmqops.model.releases import DEFAULT_VERSION, RELEASES
from rmqops.source.jdk import Jdk
from rmqops.source.maven import Maven, Module, find_distribution, find_maven, module_begun

from .conftest import write_program


@pytest.mark.parametrize(
    ("line", "module"),
    [
        (
            "[INFO] Building Apache RocketMQ 4.5.2 4.5.2                              [1/17]",
            Module("Apache RocketMQ 4.5.2", 0, 17),
        ),
        ("[INFO] Building rocketmq-store 4.4.0 4.4.0   [6/16]", Module("rocketmq-store 4.4.0", 5, 16)),
        ("[INFO] Building plain [2/3]", Module("plain", 1, 3)),
        ("[INFO] Building jar: /x/logging/target/rocketmq-logging-4.5.2.jar", None),
        ("[INFO] Building rocketmq-store 4.5.2", None),
        ("[INFO] Reactor Build Order:", None),
        ("", None),
    ],
)
def test_the_line_that_begins_a_module(line: str, module: Module | None) -> None:
    assert module_begun(line) == module


def test_maven_is_found_on_path_then_by_its_home(tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "mvn", "#!/bin/sh\n")
    assert find_maven({"PATH": str(tmp_path / "bin")}) == tmp_path / "bin/mvn"
    assert find_maven({"PATH": "", "MAVEN_HOME": str(tmp_path)}) == tmp_path / "bin/mvn"


def test_no_maven_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as caught:
        find_maven({"PATH": str(tmp_path), "M2_HOME": str(tmp_path)})
    assert caught.value.exit_code == 4
    assert "apt-get install maven" in str(caught.value.remedy)


def maven(tmp_path: Path, text: str, **environ: str) -> Maven:
    write_program(tmp_path / "mvn", f"#!/bin/sh\n{text}\n")
    given = {"PATH": "/usr/bin:/bin", **environ}
    return Maven(tmp_path / "mvn", Jdk(tmp_path / "jdk", "17.0.1"), given, tmp_path / "log", offline=True)


def test_maven_runs_with_the_jdk_and_its_output_is_kept(tmp_path: Path) -> None:
    lines: list[str] = []
    text = 'echo "$JAVA_HOME|$JDK_JAVAC_OPTIONS|$*"; echo error >&2'
    maven(tmp_path, text, JDK_JAVAC_OPTIONS="-theirs").run(["package"], tmp_path, lines.append, "-ours")
    options = "--batch-mode --strict-checksums -Dstyle.color=never --offline"
    assert lines == [f"{tmp_path}/jdk|-theirs -ours|{options} package", "error"]
    assert (tmp_path / "log").read_text().splitlines()[1:] == lines


def test_maven_speaks_english_in_the_encoding_of_the_machine(tmp_path: Path) -> None:
    lines: list[str] = []
    text = 'echo "$LC_ALL|$LANGUAGE|$LC_MESSAGES|$LC_CTYPE|$MAVEN_OPTS"'
    mavens = maven(tmp_path, text, LC_ALL="C.UTF-8", LANGUAGE="ja", MAVEN_OPTS="-Xmx1g -Duser.language=ja")
    mavens.run(["package"], tmp_path, lines.append)
    assert lines == ["||C|C.UTF-8|-Xmx1g -Duser.language=ja -Duser.language=en"]


def test_a_maven_that_fails_is_an_error_with_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="exited with 3") as caught:
        maven(tmp_path, "echo '[ERROR] broken'; exit 3").run(["package"], tmp_path, lambda _line: None)
    assert caught.value.detail == "[ERROR] broken"


def _places() -> list[tuple[str, str]]:
    known = [(version, release.distribution) for version, release in RELEASES.items()]
    return [*known, *[("9.9.9", place) for place in sorted({place for _, place in known})]]


@pytest.mark.parametrize(("version", "distribution"), _places())
def test_the_distribution_of_each_release_is_found(tmp_path: Path, version: str, distribution: str) -> None:
    place = distribution.format(version=version)
    home = tmp_path / "distribution/target" / place
    write_program(home / "bin" / "mqnamesrv", "")
    (home / "lib").mkdir()
    (tmp_path / "distribution/target/archive-tmp").mkdir()
    assert find_distribution(tmp_path, version) == home


def test_no_distribution_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="left 0 distributions"):
        find_distribution(tmp_path, DEFAULT_VERSION)

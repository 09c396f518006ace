"""Options of a JVM as words."""

from __future__ import annotations

import pytest

from rmqops.model import jvm_options
from rmqops.model.jvm_options import NEWEST


def parsed(text: str) -> jvm_options.JvmOption:
    option = jvm_options.parse(text)
    assert option is not None, text
    return option


@pytest.mark.parametrize(
    ("text", "word", "oldest", "newest"),
    [
        ("-Xss1m", "-Xss1m", 8, NEWEST),
        ("8:-Xss1m", "-Xss1m", 8, 8),
        ("11-:-Xlog:gc:file=x", "-Xlog:gc:file=x", 11, NEWEST),
        ("-Da=b c", "-Da=b c", 8, NEWEST),
    ],
)
def test_words_and_the_java_they_are_for(text: str, word: str, oldest: int, newest: int) -> None:
    option = parsed(text)
    assert (option.word, option.oldest, option.newest) == (word, oldest, newest)


@pytest.mark.parametrize(
    "text", ["server", "", "-", "8-11:-Xint", "-Xss1m\n-Xint", " -Xint", "-Xint ", "x:-Xint", "-Dä"]
)
def test_what_is_no_option(text: str) -> None:
    assert jvm_options.parse(text) is None


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("-XX:UseG1GC", True),
        ("-XX:+Use G1GC", True),
        ("-XX:", True),
        ("-XX:+UseG1GC", False),
        ("-XX:MaxGCPauseMillis=20", False),
        ("-XX:OnOutOfMemoryError=kill -9 %p", False),
        ("-Xss1q", True),
        ("-Xss", True),
        ("-Xss1m", False),
        ("-Yint", True),
        ("--add-opens=java.base/java.lang=ALL-UNNAMED", False),
        ("-javaagent:/opt/a.jar=1:b", False),
    ],
)
def test_malformed_words(text: str, bad: bool) -> None:
    assert (parsed(text).malformed is not None) is bad


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        ("-XX:+UseParallelGC", "-XX:+UseSerialGC", True),
        ("-XX:+UseParallelGC", "-XX:+UseParallelOldGC", False),
        ("8:-XX:+UseConcMarkSweepGC", "8:-XX:+UseParNewGC", False),
        ("8:-XX:+UseConcMarkSweepGC", "9-:-XX:+UseZGC", False),
        ("11-:-XX:+UseG1GC", "17:-XX:+UseZGC", True),
        ("-XX:+UseG1GC", "-XX:-UseParallelGC", False),
        ("-XX:+UseG1GC", "-XX:+UseGCOverheadLimit", False),
    ],
)
def test_two_collectors(first: str, second: str, conflict: bool) -> None:
    assert parsed(first).conflicts(parsed(second)) is conflict


@pytest.mark.parametrize(
    ("java", "package", "known"),
    [
        ("system", "", (8, NEWEST)),
        ("bundled", "openjdk-11-jre", (8, NEWEST)),
        ("package", "", (17, 17)),
        ("package", "openjdk-11-jre-headless", (11, 11)),
        ("package", "java-1.8.0-openjdk", (8, 8)),
        ("package", "temurin-21-jre", (21, 21)),
        ("package", "my-jvm", (8, NEWEST)),
    ],
)
def test_the_java_that_an_inventory_names(java: str, package: str, known: tuple[int, int]) -> None:
    assert jvm_options.java_range(java, package) == known

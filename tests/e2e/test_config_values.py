"""The table of RocketMQ's keys, held to the real classes of each release, and to a broker that would not start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rmqops.model.config_checks import KeyCheck
from rmqops.model.releases import RELEASES, Release
from rmqops.operations import inventories
from rmqops.source.build import ensure_artifact
from rmqops.source.cache import unpacked
from tests.support.clusters import free_port_base
from tests.unit.model.test_config_checks import ADDRESSES, DELAYS, HOURS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

REFERENCE = inventories.reference()
PROGRAM = Path(__file__).parents[1] / "support" / "ReleaseParsers.java"
_OPENS = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "sun.nio.ch", "jdk.internal.ref")]
HARMLESS = {"24", "99", "-1", ";", "04;", "a:0", "a:1:2", "a b:1", ":10912", "-1s", "9" * 17 + "d"}
"""What the classes read, and is wrong all the same: it never comes, means nothing, or is no time."""
READ_BY_THE_HOUR = {";04", "04; 16", "04 16"}
"""Read to the end only at some hours of the day."""


def asked(distribution: Path, directory: Path, questions: Sequence[Sequence[str]]) -> list[str]:
    """Ask the classes of a release, all in one JVM."""
    done = subprocess.run(
        [
            "java",
            *_OPENS,
            f"-Duser.home={directory}",
            "-cp",
            f"{distribution}/conf:{jars(distribution)}",
            str(PROGRAM),
        ],
        input="".join("\t".join(words) + "\n" for words in questions),
        capture_output=True,
        text=True,
        cwd=directory,
        timeout=300,
        check=False,
    )
    answers = [line.split("\t", 1)[1] for line in done.stdout.splitlines() if line.startswith("answer\t")]
    assert len(answers) == len(questions), done.stderr
    return answers


def jars(distribution: Path) -> str:
    return ":".join(str(jar) for jar in sorted((distribution / "lib").glob("*.jar")))


def judged(version: str, name: str, value: str) -> bool:
    """Tell whether validation takes a value of a broker's key."""
    key, check = (
        REFERENCE.config_keys[version]["broker"][name],
        REFERENCE.config_checks.of(version, "broker", name),
    )
    assert check is not None
    return key.fault(value) is None and check.fault(value) is None


def effective(release: Release) -> Iterator[tuple[str, str, str]]:
    """Yield keys with a text in the file, and what the getter says then."""
    rows: dict[str, dict[str, str]] = {
        "diskMaxUsedSpaceRatio": {"9": "10", "10": "10", "95": "95", "96": "95", "x": "75", "75 ": "75"},
        release.queue_size_key: {
            "6000000": "6000000",
            "6000001": "6000020",
            "20": "20",
            "2147483640": "2147483640",
        },
        "fileReservedTime": {"2147483646": "2147483646", "2147483648": "72", "1_0": "72", "": "72", "7 ": "72"},
        "traceOn": {
            "true": "true",
            "TRUE": "true",
            "false": "false",
            "yes": "false",
            "true ": "false",
            "1": "false",
        },
        "flushDiskType": {"SYNC_FLUSH": "SYNC_FLUSH", "SYNC_FLUSH ": "ASYNC_FLUSH", "sync_flush": "ASYNC_FLUSH"},
    }
    for key, texts in rows.items():
        yield from ((key, text, kept) for text, kept in texts.items())


def expected(release: Release) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield questions to the classes of a release, each after the answer that our own judgement leads to."""
    version = release.version
    for kind, name, table in (
        ("hours", "deleteWhen", HOURS),
        ("delays", "messageDelayLevel", DELAYS),
        ("address", "haMasterAddress", ADDRESSES),
    ):
        for value in table.keys() - READ_BY_THE_HOUR:
            yield ("read" if judged(version, name, value) or value in HARMLESS else "not read"), (kind, value)
    for rate, number in ((0, 32), (1, 32), (99, 32), (100, 32), (20, 0), (20, 1)):
        good = judged(version, "maxErrorRateOfBloomFilter", str(rate))
        good = good and judged(version, "expectConsumerNumUseFilter", str(number))
        yield ("read" if good else "not read"), ("bloom", str(rate), str(number))
    for key, text, kept in effective(release):
        assert judged(version, key, text) is (kept == text.lower() or kept == text), (key, text)
        yield kept, ("value", key, text)
    pool = ("value", "transientStorePoolEnable", "true")
    yield "true", pool
    yield "false", (*pool, "flushDiskType", "SYNC_FLUSH")
    yield "false", (*pool, "brokerRole", "SLAVE")
    for place in sources(release):
        yield "there", ("source", *place)
    if release.dledger:
        yield "9 10.0.0.1:40911", ("peers", "n9", "n9-10.0.0.1:40911;n10-10.0.0.2:40911")
        yield "not read", ("peers", "node1", "node1-10.0.0.1:40911")
        yield "0 mq", ("peers", "n0", "n0-mq-1.example:40911")


def sources(release: Release) -> Iterator[tuple[str, str]]:
    """Yield class and method of each check of a release."""
    keys = {name for programs in REFERENCE.config_keys[release.version].values() for name in programs}
    checks: list[KeyCheck] = [
        check
        for names in REFERENCE.config_checks.keys.values()
        for name, entries in names.items()
        for releases, check in entries
        if name in keys and (releases is None or release.version in releases)
    ]
    together = [one for one in REFERENCE.config_checks.together if keys & {*one.keys}]
    for source in sorted({check.source for check in checks} | {one.source for one in together}):
        owner, _, member = source.partition("#")
        if release.dledger or not owner.startswith("DLedger"):
            yield owner, member


@pytest.mark.parametrize("release", RELEASES.values(), ids=lambda release: release.version)
def test_the_classes_of_a_release_agree(release: Release, tmp_path: Path) -> None:
    """One JVM a release: what we refuse it refuses, drops or changes, and what we take it reads as it stands."""
    wanted, questions = zip(*expected(release), strict=True)
    answers = asked(unpacked(ensure_artifact(release.version)), tmp_path, questions)
    told = ["not read" if answer == "refused" or answer.startswith("threw ") else answer for answer in answers]
    assert [row for row in zip(questions, wanted, told, answers, strict=True) if row[1] != row[2]] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aclEnable", "true"),
        ("messageDelayLevel", "1S"),
        ("messageStorePlugIn", "org.example.Store"),
        ("sendMessageThreadPoolNums", "0"),
        ("maxMessageSize", "2147483647"),
    ],
)
def test_a_broker_does_not_start_with_what_is_refused(
    rocketmq_home: Path, tmp_path: Path, key: str, value: str
) -> None:
    assert not judged("4.5.2", key, value)
    port = free_port_base()
    config = tmp_path / "broker.p"
    config.write_text(
        f"brokerIP1=127.0.0.1\nlistenPort={port + 3}\nstorePathRootDir={tmp_path}/store\n"
        f"storePathCommitLog={tmp_path}/store/commitlog\nmappedFileSizeCommitLog=67108864\n{key}={value}\n"
    )
    home = tmp_path / "home"
    (home / "conf").mkdir(parents=True)
    (home / "conf" / "logback_broker.xml").write_text("<configuration/>")
    argv = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", *_OPENS, f"-Duser.home={tmp_path}"]
    argv += [
        "-cp",
        f"{home}/conf:{rocketmq_home}/lib/*",
        "org.apache.rocketmq.broker.BrokerStartup",
        "-c",
        str(config),
    ]
    done = subprocess.run(
        argv, env={**os.environ, "ROCKETMQ_HOME": str(home)}, capture_output=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert b"boot success" not in done.stdout

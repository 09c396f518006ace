"""A whole build with a Maven that costs nothing: what is built, what is kept, what is left when it fails."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections import namedtuple
from contextlib import suppress
from pathlib import Path

import pytest

from rmqops.errors import DigestMismatch, PreflightFailed, SourceError, ToolMissing, UsageError
from rmqops.source import build as building
from rmqops.source.cache import intact
from rmqops.source.fetch import SourceOrigin
from tests.support.waiting import until

from .conftest import VERSION, Workshop

WAIT = 30.0
COMMAND = (sys.executable, "-m", "rmqops", "build", "--version", VERSION)


def start(workshop: Workshop, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Build as a user does, as a process."""
    return subprocess.Popen(
        [*COMMAND, "--source", str(workshop.zip), "--sha512", workshop.sha512, "--json", *arguments],
        env={**os.environ, **workshop.environ, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def test_a_build_leaves_one_artifact_named_by_its_content(workshop: Workshop) -> None:
    outcome = workshop.build()
    artifact = outcome.artifact
    assert outcome.compiled
    assert artifact.name == f"rocketmq-{VERSION}-{artifact.digest[:16]}"
    assert artifact.path.name == f"{artifact.name}.tar.gz"
    assert intact(artifact)
    assert artifact.jdk == "17.0.1"
    with tarfile.open(artifact.path) as archive:
        assert f"rocketmq-{VERSION}/bin/mqnamesrv" in archive.getnames()
    assert not (workshop.cache.root / "work").exists()
    assert artifact.log.read_text().count("Building") == 2


def test_progress_names_each_module(workshop: Workshop) -> None:
    workshop.build()
    modules = [(step.message, step.done, step.total) for step in workshop.seen if step.stage == "compile"]
    assert modules == [("Apache RocketMQ 9.9.9", 0, 2), ("rocketmq-store 9.9.9", 1, 2)]


def test_a_second_build_is_the_first(workshop: Workshop) -> None:
    first = workshop.build()
    second = workshop.build()
    assert second.artifact == first.artifact
    assert not second.compiled
    assert len(workshop.maven_calls) == 1


@pytest.mark.parametrize("harm", ["archive gone", "archive changed", "record gone", "record torn"])
def test_what_is_broken_is_built_again(workshop: Workshop, harm: str) -> None:
    path = workshop.build().artifact.path
    (record,) = (workshop.cache.root / "records").iterdir()
    if harm == "archive gone":
        path.unlink()
    elif harm == "archive changed":
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(bytes(content))
    elif harm == "record gone":
        record.unlink()
    else:
        record.write_text(record.read_text()[:40])
    again = workshop.build()
    assert again.compiled
    assert intact(again.artifact)


def test_another_jdk_counts_only_when_it_is_named(workshop: Workshop) -> None:
    workshop.build()
    other = workshop.write_jdk("other", "21.0.1")
    assert not workshop.build(jdk=workshop.root / "jdk").compiled
    again = workshop.build(jdk=other)
    assert again.compiled
    assert again.artifact.jdk == "21.0.1"
    assert not workshop.build().compiled


def test_a_runtime_is_made_once_and_goes_with_the_artifact(workshop: Workshop) -> None:
    workshop.build()
    workshop.write_jlink(workshop.root / "jdk")
    outcome = workshop.build(runtime=True)
    runtime = outcome.artifact.runtime
    assert not outcome.compiled
    assert runtime is not None
    assert runtime.name.startswith("java-17.0.1-")
    assert intact(runtime)
    workshop.seen.clear()
    assert workshop.build(runtime=True).artifact.runtime == runtime
    assert workshop.build().artifact.runtime == runtime
    assert workshop.seen == []


def test_a_jdk_without_jlink_makes_no_runtime_and_compiles_nothing(workshop: Workshop) -> None:
    with pytest.raises(PreflightFailed, match="no jlink"):
        workshop.build(runtime=True)
    assert workshop.maven_calls == []


def test_a_wrong_digest_names_both_and_keeps_nothing(workshop: Workshop) -> None:
    wrong = "ab" * 64
    with pytest.raises(DigestMismatch) as caught:
        workshop.build(sha512=wrong)
    assert wrong in caught.value.message
    assert workshop.sha512 in caught.value.message
    assert not workshop.cache.root.exists()


def test_a_maven_that_fails_leaves_its_log_alone(workshop: Workshop) -> None:
    workshop.write_maven("echo '[ERROR] COMPILATION ERROR'; exit 1")
    with pytest.raises(SourceError) as caught:
        workshop.build()
    (log,) = workshop.cache.logs.iterdir()
    assert str(log) in caught.value.message
    assert "COMPILATION ERROR" in log.read_text()
    assert [name for name in workshop.left() if not name.startswith("sources/")] == []


def test_no_maven_is_said_before_anything_is_fetched(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    (workshop.root / "bin" / "mvn").unlink()
    monkeypatch.setenv("PATH", str(workshop.root / "bin"))
    with pytest.raises(ToolMissing, match="no Maven"):
        workshop.build()
    assert workshop.left() == []


def test_no_jdk_is_said(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    (workshop.root / "jdk/bin/javac").unlink()
    monkeypatch.setenv("PATH", str(workshop.root / "bin"))
    monkeypatch.setattr(building, "JVM_ROOTS", ())
    with pytest.raises(ToolMissing, match="no JDK"):
        workshop.build()
    assert workshop.left() == []


def test_too_little_room_is_said_before_the_build(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**9, 10**9 - 5_000_000, 5_000_000))
    with pytest.raises(PreflightFailed, match="has 5 MB free, but this takes 120 MB"):
        workshop.build()
    assert workshop.maven_calls == []


def test_a_cache_that_cannot_be_written_is_said(workshop: Workshop) -> None:
    workshop.cache.root.write_text("a file")
    with pytest.raises(SourceError, match="cannot be used") as caught:
        workshop.build()
    assert "RMQOPS_CACHE" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": None, "origin": SourceOrigin.ZIP}, "needs the zip"),
        ({"origin": SourceOrigin.MAVEN}, "contradict"),
        ({"source": Path("/no/such.zip")}, "there is no file"),
        ({"source": None, "origin": SourceOrigin.APACHE, "offline": True}, "contradict"),
    ],
)
def test_options_that_cannot_be_are_refused(workshop: Workshop, options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        workshop.build(**options)


def test_two_at_once_build_once(workshop: Workshop) -> None:
    workshop.write_maven(f"while [ ! -e {workshop.root}/go ]; do sleep 0.05; done")
    first = start(workshop)
    until(lambda: len(workshop.maven_calls) == 1, "the first build runs Maven")
    second = start(workshop)
    assert second.stderr is not None
    waiting = second.stderr.readline()
    (workshop.root / "go").touch()
    answers = [json.loads(process.communicate(timeout=WAIT)[0]) for process in (first, second)]
    assert waiting == f"waiting for process {first.pid} (building RocketMQ {VERSION})\n"
    assert [answer["compiled"] for answer in answers] == [True, False]
    assert answers[0]["sha256"] == answers[1]["sha256"]
    assert len(workshop.maven_calls) == 1


def test_progress_is_lines_off_a_terminal_and_a_bar_on_one(workshop: Workshop) -> None:
    _, said = start(workshop).communicate(timeout=WAIT)
    assert said.splitlines() == [
        "verifying SHA-512 of rocketmq-all-9.9.9-source-release.zip",
        "unpacking rocketmq-all-9.9.9-source-release.zip",
        "[1/2] compiling Apache RocketMQ 9.9.9",
        "[2/2] compiling rocketmq-store 9.9.9",
        "packing RocketMQ 9.9.9",
    ]
    (workshop.cache.root / "records").joinpath(f"rocketmq-9.9.9-{workshop.sha512[:16]}.json").unlink()
    mine, theirs = pty.openpty()
    process = start(workshop, stderr=theirs)
    os.close(theirs)
    answer, _ = process.communicate(timeout=WAIT)
    drawn = b""
    with suppress(OSError):  # A terminal whose other side is closed is an error on Linux, not an end.
        while chunk := os.read(mine, 1 << 16):
            drawn += chunk
    os.close(mine)
    assert json.loads(answer)["compiled"]
    assert b"packing RocketMQ 9.9.9" in drawn
    assert b"\x1b[" in drawn


def test_ctrl_c_ends_maven_and_leaves_nothing(workshop: Workshop) -> None:
    workshop.write_maven(f"echo $$ > {workshop.root}/pid; sleep 1000")
    process = start(workshop)
    pid = workshop.root / "pid"
    until(lambda: pid.exists() and pid.read_text().strip() != "", "Maven runs")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=WAIT)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not Path("/proc", pid.read_text().strip()).exists()
    assert not (workshop.cache.root / "work").exists()
    assert not any((workshop.cache.root / "artifacts").iterdir())


def test_after_a_kill_the_next_build_starts_anew(workshop: Workshop) -> None:
    workshop.write_maven(f"echo $$ > {workshop.root}/pid; sleep 1000")
    process = start(workshop)
    pid = workshop.root / "pid"
    until(lambda: pid.exists() and pid.read_text().strip() != "", "Maven runs")
    process.kill()
    process.communicate(timeout=WAIT)
    half = list((workshop.cache.root / "work").iterdir())
    assert len(half) == 1
    workshop.write_maven()
    # The dead build's Maven sleeps for 1,000 s and holds the lock, if it was not killed with it.
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(workshop.build().compiled), daemon=True)
    thread.start()
    thread.join(WAIT)
    assert done == [True]
    assert not half[0].exists()


def test_a_full_disk_is_said_and_nothing_half_made_is_left(workshop: Workshop) -> None:
    command = [*COMMAND, "--source", str(workshop.zip)]
    workshop.write_maven("mkdir -p distribution; dd if=/dev/urandom of=distribution/big bs=1M count=8 || exit 1")
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 2048; exec "$@"', "sh", *command, "--sha512", workshop.sha512],
        env={**os.environ, **workshop.environ},
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert done.returncode == 1
    assert "no space" in done.stderr
    assert "remedy: make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert [name for name in workshop.left() if not name.startswith("sources/")] == []

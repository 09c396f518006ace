"""``bin/reason.sh``, run on this machine over logs of every kind, and over what somebody planted among them."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from rmqops.operations import inventories
from rmqops.operations.plan import trees

INVENTORIES = Path(__file__).parents[2] / "inventory"
SINCE = int(datetime(2026, 12, 1, 2, 30, tzinfo=UTC).timestamp())
BEFORE, AFTER = SINCE - 5, SINCE + 5
STACK = """com.alibaba.fastjson.JSONException: syntax error, pos 6
\tat com.alibaba.fastjson.parser.deserializer.JavaBeanDeserializer.deserialze(JavaBeanDeserializer.java:506)
\tat com.alibaba.fastjson.parser.DefaultJSONParser.parseObject(DefaultJSONParser.java:672)
\t... 7 common frames omitted
Caused by: java.lang.IllegalStateException: in the middle
\tat x.Middle.run(Middle.java:1)
Caused by: java.io.IOException: the last cause
\tat x.Last.run(Last.java:1)
\tat x.Last.more(Last.java:2)
"""


def stamped(second: int, text: str, zone: timezone = UTC) -> str:
    """Return a line as our logback file has it written."""
    moment = datetime.fromtimestamp(second, zone).isoformat(timespec="milliseconds")
    return f"{moment.replace('+00:00', 'Z')} {text}\n"


@dataclass(frozen=True)
class Trial:
    """An instance of which there are a script and logs."""

    script: Path
    logs: Path

    def write(self, name: str, text: str) -> Path:
        path = self.logs / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (AFTER, AFTER))
        return path

    def said(self, *arguments: str) -> str:
        done = subprocess.run(
            ["/bin/sh", str(self.script), *(arguments or (str(SINCE),))],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


def trial_of(directory: Path, inventory: str = "local", user: str = "") -> Trial:
    broker = inventories.load(str(INVENTORIES / inventory)).topology.instance("broker-a-0")
    logs = directory / "logs"
    logs.mkdir()
    text = next(file.content for file in trees.tree(broker) if file.path == "bin/reason.sh")
    script = directory / "reason.sh"
    script.write_text(text.replace(broker.text("rocketmq_log_dir"), str(logs)).replace("'rocketmq'", f"'{user}'"))
    return Trial(script, logs)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return trial_of(tmp_path)


def test_an_exception_is_told_by_its_first_words_and_its_last_cause(trial: Trial) -> None:
    trial.write("console.log", "")
    trial.write("stats.log", stamped(AFTER, "INFO main - all is well"))
    trial.write("store.log", stamped(AFTER, "ERROR main - load /d/delayOffset.json failed") + STACK)
    assert trial.said().splitlines() == [
        "store.log:",
        "  2026-12-01T02:30:05.000Z ERROR main - load /d/delayOffset.json failed",
        "  com.alibaba.fastjson.JSONException: syntax error, pos 6",
        "  \tat com.alibaba.fastjson.parser.deserializer.JavaBeanDeserializer.deserialze"
        "(JavaBeanDeserializer.java:506)",
        "  Caused by: java.io.IOException: the last cause",
        "  \tat x.Last.run(Last.java:1)",
    ]


@pytest.mark.parametrize("hours", [-9, 0, 8])
def test_what_is_older_than_the_start_is_not_shown_in_any_time_zone(trial: Trial, hours: int) -> None:
    zone = timezone(timedelta(hours=hours, minutes=30 if hours else 0))
    text = stamped(BEFORE, "ERROR main - the old one", zone) + STACK
    trial.write("broker.log", text + stamped(AFTER, "ERROR main - the new one", zone))
    said = trial.said()
    assert "the new one" in said
    assert "the old one" not in said
    assert "the last cause" not in said


def test_a_log_that_was_not_written_to_since_is_not_read(trial: Trial) -> None:
    old = trial.write("storeerror.log", "an error without a time\n")
    os.utime(old, (BEFORE, BEFORE))
    assert "looked at: nothing was written" in trial.said()


def test_every_log_is_asked_and_the_reason_may_be_in_any(trial: Trial) -> None:
    names = ["broker.log", "broker_default.log", "remoting.log", "protection.log", "dir/anything.log", "gc.log.0"]
    for name in names:
        trial.write(
            name, stamped(AFTER, f"ERROR main - in {name}".replace("gc.log.0", "java.lang.OutOfMemoryError"))
        )
    said = trial.said()
    assert [f"{name}:" for name in names if f"{name}:" not in said.splitlines()] == []


def test_a_rotated_log_is_read_too(trial: Trial) -> None:
    path = trial.write("otherdays/store.1.log.gz", "")
    path.write_bytes(gzip.compress(stamped(AFTER, "FATAL main - rotated").encode()))
    assert "FATAL main - rotated" in trial.said()


def test_what_the_jvm_prints_and_leaves_when_it_crashes(trial: Trial) -> None:
    trial.write(
        "console.log", "Unrecognized VM option 'UseNoGC'\nError: Could not create the Java Virtual Machine.\n"
    )
    trial.write("hs_err_pid7.log", "#\n# A fatal error has been detected\n#  SIGBUS (0x7)\n\nregisters\n")
    assert sorted(trial.said().splitlines()) == [
        "  #  SIGBUS (0x7)",
        "  # A fatal error has been detected",
        "  Error: Could not create the Java Virtual Machine.",
        "  Unrecognized VM option 'UseNoGC'",
        "console.log:",
        "hs_err_pid7.log:",
    ]


def test_where_nothing_says_anything_it_says_where_it_looked(trial: Trial) -> None:
    trial.write("broker.log", stamped(AFTER, "INFO main - first") + stamped(AFTER, "INFO main - last"))
    os.utime(trial.write("store.log", stamped(AFTER, "INFO main - other")), (AFTER - 1, AFTER - 1))
    said = trial.said()
    assert "broker.log, its last line:\n  2026-12-01T02:30:05.000Z INFO main - last\n" in said
    assert said.splitlines()[-1].startswith(f"no error in any log of {trial.logs} since its start; looked at: ")
    assert {"broker.log", "store.log"} <= set(said.splitlines()[-1].split())


def test_what_the_middle_of_a_large_log_begins_with_is_not_shown(trial: Trial) -> None:
    filler = "".join(stamped(AFTER, f"INFO main - {number:09}") for number in range(6000))
    trial.write("remoting.log", filler + stamped(AFTER, "ERROR main - at the end") + STACK)
    assert [line for line in trial.said().splitlines() if line.startswith("  2026")] == [
        "  2026-12-01T02:30:05.000Z ERROR main - at the end"
    ]
    assert trial.said().splitlines()[1] == "  2026-12-01T02:30:05.000Z ERROR main - at the end"


def test_a_start_that_went_well_is_no_reason(trial: Trial) -> None:
    trial.write("console.log", "load config properties file OK, /x\nThe broker[a, 1] boot success.\n")
    assert trial.said().startswith("no error in any log")


def test_the_same_words_are_told_once_and_of_many_the_first_and_the_last(trial: Trial) -> None:
    kinds = "abcdefghij"
    lines = [stamped(AFTER + number, f"ERROR main - {kind}") for number, kind in enumerate(kinds)]
    repeated = [stamped(AFTER + 20 + number, f"ERROR main - try {number}") for number in range(50)]
    trial.write("broker.log", "".join([*lines, *repeated]))
    said = trial.said().splitlines()
    told = [line.rpartition(" - ")[2] for line in said if " ERROR " in line]
    assert told == ["a", "b", "h", "i", "j", "try 0"]
    assert "(5 more)" in said


def test_nothing_of_a_log_is_an_order_to_the_terminal(trial: Trial) -> None:
    trial.write("console.log", "\x1b[2Jconsole\x07\n")
    trial.write("broker.log", stamped(AFTER, "ERROR main - \x1b]0;owned\x07 end"))
    assert not {"\x1b", "\x07"} & set(trial.said())


def test_the_start_is_when_the_console_before_it_was_moved(trial: Trial) -> None:
    trial.write("console.log", "first\n").rename(trial.logs / "console.log.old")
    now = int(time.time())
    text = stamped(now - 3600, "ERROR main - the old one") + stamped(now + 1, "ERROR main - the new one")
    (trial.logs / "broker.log").write_text(text)
    said = trial.said("")
    assert "the new one" in said
    assert "the old one" not in said


def test_no_directory_is_said(trial: Trial) -> None:
    shutil.rmtree(trial.logs)
    assert trial.said() == f"there is no directory {trial.logs}\n"


def test_what_somebody_planted_is_not_followed_and_holds_nobody_up(trial: Trial, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(stamped(AFTER, "ERROR main - root:hash"))
    (trial.logs / "link.log").symlink_to(secret)
    (trial.logs / "console.log").symlink_to(secret)
    (trial.logs / "directory.log").symlink_to(tmp_path)
    os.mkfifo(trial.logs / "pipe.log")
    (trial.logs / "store.log").mkdir()
    with (trial.logs / "huge.log").open("wb") as huge:
        huge.truncate(1 << 40)
        huge.seek(0, os.SEEK_END)
        huge.write(f"\n{stamped(AFTER, 'ERROR main - the end of a huge one')}".encode())
    trial.write("odd\nname.log", "ERROR\n")
    trial.write("-rf.log", stamped(AFTER, "ERROR main - a name that looks like an option"))
    trial.write("long.log", "x" * 3_000_000)
    said = trial.said()
    assert "root:hash" not in said
    assert "the end of a huge one" in said
    assert "a name that looks like an option" in said
    assert len(said) < 10_000


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_unit_of_the_system_reads_as_its_user(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    trial = trial_of(tmp_path, "prod", "nobody")
    for directory in [tmp_path, *tmp_path.parents]:
        if directory.stat().st_uid == os.geteuid() and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o011)
    trial.logs.chmod(0o755)
    trial.write("root.log", stamped(AFTER, "ERROR main - of root alone")).chmod(0o600)
    trial.write("broker.log", stamped(AFTER, "ERROR main - of all")).chmod(0o644)
    said = trial.said()
    assert "of all" in said
    assert "of root alone" not in said

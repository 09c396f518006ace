"""What lies beyond a place in a commit log, with logs made by hand and the program that runs on hosts."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.errors import OperationFailed
from rmqops.model.topology import Instance
from rmqops.operations.observe import commit_log_tail
from rmqops.transport.local import LocalTransport
from tests.support.instances import instance, make_scripts

SIZE = 4096
MESSAGE, BLANK = 0xDAA320A7, 0xCBD43194
HERE = LocalTransport()


def message(length: int, filling: bytes = b"x") -> bytes:
    return struct.pack(">II", length, MESSAGE) + filling * (length - 8)


@pytest.fixture
def broker(tmp_path: Path) -> Instance:
    """A stopped broker: ten messages of 300 bytes in its first file and a blank, three in its second."""
    made = instance("broker-a-0", tmp_path / "broker", group="broker-a")
    make_scripts(made)
    log = Path(made.home, "data", "commitlog")
    log.mkdir(parents=True)
    blank = struct.pack(">II", SIZE - 3000, BLANK)
    (log / f"{0:020d}").write_bytes((message(300) * 10 + blank).ljust(SIZE, b"\0"))
    (log / f"{SIZE:020d}").write_bytes((message(300, b"y") * 3).ljust(SIZE, b"\0"))
    return made


@pytest.mark.parametrize(
    ("start", "messages", "size"),
    [
        (SIZE + 900, 0, 0),
        (SIZE + 600, 1, 300),
        (SIZE + 599, 2, 301),
        (SIZE, 3, 900),
        (2700, 4, SIZE + 900 - 2700),
        (0, 13, SIZE + 900),
        (3 * SIZE, 0, 0),
    ],
)
def test_what_ends_beyond_a_place_is_counted(broker: Instance, start: int, messages: int, size: int) -> None:
    found = commit_log_tail.count(broker, start, HERE)
    assert (found.messages, found.bytes, found.aside) == (messages, size, "")


@pytest.mark.parametrize(
    ("start", "first"),
    [(2700, 2700), (2800, 2700), (SIZE, SIZE), (SIZE + 300, SIZE + 300), (SIZE + 450, SIZE + 300)],
)
def test_what_is_set_aside_is_kept_whole_and_gone_from_the_log(broker: Instance, start: int, first: int) -> None:
    log = Path(broker.home, "data", "commitlog")
    before = b"".join(path.read_bytes() for path in sorted(log.iterdir()))
    found = commit_log_tail.set_aside(broker, start, HERE)
    assert found.messages
    kept = b"".join(path.read_bytes() for path in sorted(Path(found.aside).iterdir()))
    assert kept == before[first:]
    after = b"".join(path.read_bytes() for path in sorted(log.iterdir()))
    assert after[:first] == before[:first]
    assert not after[first:].strip(b"\0")
    assert all(path.stat().st_size == SIZE for path in log.iterdir())
    assert Path(broker.home, "data", "abort").exists()
    again = commit_log_tail.set_aside(broker, start, HERE)
    assert (again.messages, again.aside) == (0, "")


def test_the_queues_lose_what_the_log_loses(broker: Instance) -> None:
    queue = Path(broker.home, "data", "consumequeue", "topic", "0")
    queue.mkdir(parents=True)
    entries = [struct.pack(">qiq", place, 300, 7) for place in (0, 2400, 2700, SIZE, SIZE + 300)]
    full, last, free = b"".join(entries[:3]), b"".join(entries[3:]).ljust(60, b"\0"), bytes(60)
    for number, content in enumerate((full, last, free)):
        (queue / f"{60 * number:020d}").write_bytes(content)
    commit_log_tail.count(broker, 2700, HERE)
    assert [path.read_bytes() for path in sorted(queue.iterdir())] == [full, last, free]
    commit_log_tail.set_aside(broker, 2700, HERE)
    assert [path.read_bytes() for path in sorted(queue.iterdir())] == [full[:40] + bytes(20), bytes(60), bytes(60)]


def test_nothing_is_touched_where_nothing_is(broker: Instance) -> None:
    found = commit_log_tail.set_aside(broker, SIZE + 900, HERE)
    assert (found.messages, found.aside) == (0, "")
    assert not Path(broker.home, "data", "abort").exists()
    assert not Path(broker.home, "data", "not-copied").exists()


def test_logs_that_are_the_same_up_to_a_place_have_one_digest(broker: Instance, tmp_path: Path) -> None:
    mine = commit_log_tail.count(broker, SIZE + 300, HERE).before
    log = Path(broker.home, "data", "commitlog", f"{SIZE:020d}")
    content = log.read_bytes()
    log.write_bytes(content[:300] + b"z" * 300 + content[600:])
    assert commit_log_tail.count(broker, SIZE + 300, HERE).before == mine
    log.write_bytes(b"z" * 300 + content[300:])
    assert commit_log_tail.count(broker, SIZE + 300, HERE).before != mine


def test_a_broker_that_runs_is_left_alone(broker: Instance) -> None:
    script = Path(broker.home, "current", "bin", "pid.sh")
    script.write_text("#!/bin/sh\necho 7\n")
    with pytest.raises(OperationFailed, match="exited with 1") as caught:
        commit_log_tail.set_aside(broker, 0, HERE)
    assert "it runs" in str(caught.value.detail)


def test_the_interpreter_of_the_inventory_is_taken(broker: Instance) -> None:
    missing = replace(broker, variables={**broker.variables, "ansible_python_interpreter": "/no/such/python"})
    with pytest.raises(OperationFailed):
        commit_log_tail.count(missing, 0, HERE)

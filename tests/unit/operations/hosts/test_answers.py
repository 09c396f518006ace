"""What hosts say may be anything: it is read, or it is an error that names the host and shows what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqops.errors import OperationFailed
from rmqops.operations import inventories
from rmqops.operations.check import check
from rmqops.operations.hosts import facts, sections
from rmqops.operations.hosts.machines import machines
from rmqops.operations.observe import commit_log_tail, heartbeats
from rmqops.transport.fake import FakeTransport
from tests.support import damage
from tests.support.instances import topology

TOPOLOGY = topology()
BROKER = TOPOLOGY.brokers[0]
(MACHINE,) = machines(TOPOLOGY.instances)

DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
FACTS = """listening 0100007F:2694 00000000000000000000000000000000:2A9F
""" + "".join(
    f"""instance {item.home}
release rocketmq-4.5.2-aa
java java-17
unit {DIGEST}  -
override /etc/systemd/system/x.service.d/a.conf
state ActiveState=failed SubState=failed Result=exit-code NRestarts=5
said no such option
mark trial/{item.name}
tree {item.home}/trees/0123
mode 644 conf/broker.p
mode 755 bin/a.sh
{DIGEST}  ./conf/broker.p
{DIGEST} *./bin/a.sh
setting brokerName=a
pid 4711
running {item.home}/trees/0123
on rocketmq-4.5.2-aa
"""
    for item in TOPOLOGY.instances
)
HEARTBEATS = """now 2026-12-01T02:30:00.000+00:00
connected 0100007F:2694
connected 0000000000000000FFFF00000100007F:2694
registered 127.0.0.1:1 2026-12-01T02:29:50.000+00:00
"""
TAIL = json.dumps({"messages": 1, "bytes": 2, "before": "ab", "aside": ""})
OWNERS = "9876 pid 12 (java -x)\n10911 a process that only root may see\n"
SECTIONS = "\x1eclock 1796083200.123\n\nout\n\x1eend 0\n\n\x1eend 124\n\x1eclock 1796083201.123\n"


def read_facts(said: str) -> object:
    return facts.parse(MACHINE, said)


def read_heartbeats(said: str) -> object:
    return heartbeats.survey(TOPOLOGY, lambda _item: FakeTransport(lambda _command: (0, said)))


def read_tail(said: str) -> object:
    return commit_log_tail.count(BROKER, 0, FakeTransport(lambda _command: (0, said)))


def read_owner(said: str) -> object:
    return facts.port_owner(BROKER, 9876, lambda _item: FakeTransport(lambda _command: (0, said)))


def read_sections(said: str) -> object:
    return sections.answers(said, 2), sections.clock(said, 1.0, 2.0)


READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "facts": (read_facts, FACTS),
    "heartbeats": (read_heartbeats, HEARTBEATS),
    "tail": (read_tail, TAIL),
    "owner": (read_owner, OWNERS),
    "sections": (read_sections, SECTIONS),
}


@pytest.mark.parametrize("reader", READERS)
def test_what_is_right_is_read(reader: str) -> None:
    read, right = READERS[reader]
    read(right)


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), as_bytes=st.booleans())
def test_anything_else_is_read_or_is_the_hosts_error(reader: str, seed: int, as_bytes: bool) -> None:
    read, right = READERS[reader]
    draw = Random(seed)
    said = damage.spoilt_bytes(right.encode(), draw).decode("utf-8", "replace") if as_bytes else ""
    said = said or damage.spoilt_text(right, draw)
    with suppress(OperationFailed):
        read(said)


def test_the_error_names_the_host_and_shows_what_it_said() -> None:
    said = "Welcome to db7!\n\nAll access is logged.\n"
    with pytest.raises(
        OperationFailed, match=f"{MACHINE.name} gave an answer that is not understood: it tells of 0"
    ) as raised:
        facts.parse(MACHINE, said)
    assert raised.value.detail == "Welcome to db7!\nAll access is logged."
    assert "login banner" in str(raised.value.remedy)


def test_a_check_goes_on_with_the_other_machines() -> None:
    """A machine whose facts cannot be read is one failed row."""
    said = "\x1eclock 1.5\n" + "odd\n\x1eend 0\n" * 200
    local = inventories.load(str(Path(__file__).parents[4] / "inventory" / "local")).topology
    report = check.check(local, transports=lambda _item: FakeTransport(lambda _command: (0, said)))
    assert not report.passed
    assert any("is not understood" in row.finding.found for row in report.rows)

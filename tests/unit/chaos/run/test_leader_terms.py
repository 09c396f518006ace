"""Terms that a member led, read from real log files by the real script."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.run import leader_terms
from rmqops.model.commands import Command, Result
from rmqops.model.history import Event
from rmqops.model.topology import Instance
from rmqops.transport.local import LocalTransport
from tests.support.instances import topology

LED = "2019-05-02 INFO - Begin handling broker role change term={} role=LEADER currStoreRole=SLAVE\n"
FOLLOWED = "2019-05-02 INFO - Begin handling broker role change term={} role=FOLLOWER currStoreRole=SLAVE\n"


@pytest.fixture
def member(tmp_path: Path) -> Instance:
    (tmp_path / "logs" / "otherdays").mkdir(parents=True)
    made = topology(tmp_path).instance("broker-a-1")
    return replace(made, variables={**made.variables, "rocketmq_log_dir": str(tmp_path / "logs")})


def events(member: Instance) -> list[Event]:
    return list(leader_terms.leader_events(member, LocalTransport().run(leader_terms.ask(member)), 7.0))


def test_every_term_that_a_member_led_is_told_once_also_from_older_logs(tmp_path: Path, member: Instance) -> None:
    logs = tmp_path / "logs"
    (logs / "broker.log").write_text(FOLLOWED.format(9) + LED.format(12) + "something else\n" + LED.format(12))
    (logs / "otherdays" / "broker.1.log.gz").write_bytes(gzip.compress(LED.format(3).encode()))
    assert events(member) == [
        Event(7.0, "broker-a-1", "leader", "ok", broker="broker-a", value={"term": term}) for term in ("3", "12")
    ]


def test_a_member_that_never_led_has_nothing_to_tell(tmp_path: Path, member: Instance) -> None:
    (tmp_path / "logs" / "broker.log").write_text(FOLLOWED.format(1))
    assert events(member) == []


def test_a_log_that_cannot_be_read_is_no_silence(tmp_path: Path, member: Instance) -> None:
    (event,) = events(member)
    assert (event.type, event.error) == ("fail", f"there is no broker.log in {tmp_path}/logs")
    (tmp_path / "logs" / "broker.log").write_text(LED.format(1))
    (tmp_path / "logs" / "otherdays" / "broker.1.log.gz").write_bytes(b"no archive")
    (event,) = events(member)
    assert event.type == "fail"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, "its host could not be asked"),
        (Result(Command(("x",)), 1, "", ""), "it cannot be read"),
        (Result(Command(("x",)), 1, "3\n", "gone\n"), "gone"),
    ],
)
def test_a_host_that_could_not_be_asked_is_on_record(member: Instance, answer: Result | None, error: str) -> None:
    (event,) = leader_terms.leader_events(member, answer, 1.0)
    assert (event.op, event.type, event.process, event.error) == ("leader", "fail", "broker-a-1", error)

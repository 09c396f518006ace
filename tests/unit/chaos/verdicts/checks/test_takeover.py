"""How soon the queues of a consumer that was killed were read by another member of its group."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event
from tests.unit.chaos.verdicts.checks.recorded import judge

DEATH = 10.0


def judged(directory: Path, reads: Iterable[tuple[float, str, int]], *, members: str | None) -> CheckResult | None:
    """Judge a history in which consumer-2 dies at ``DEATH``; a read is its time, process and queue."""
    value = {"target": "consumer", "instance": "consumer-2", "address": "pid 7", "expects": "service"}
    if members is not None:
        value["members"] = members
    events = [
        Event(DEATH, "nemesis", "fault", "ok", key="kill", value=value),
        *(
            Event(t, process, "receive", "ok", "drill", "broker-a", queue, number, key=f"p1-{number}")
            for number, (t, process, queue) in enumerate(reads)
        ),
    ]
    return judge(sorted(events, key=lambda event: event.t), directory).get("takeover")


BEFORE = [(8.0, "consumer-1", 0), (8.5, "consumer-2", 0), (9.0, "consumer-2", 1), (9.0, "consumer-1", 2)]


def test_the_first_read_by_another_member_counts(tmp_path: Path) -> None:
    after = [
        (10.4, "consumer-1.2", 0),
        (10.6, "consumer-2-2", 1),
        (10.1, "consumer-3", 1),
        (10.1, "consumer-1", 2),
    ]
    found = judged(tmp_path, [*BEFORE, *after], members="consumer-1")
    assert found is not None
    assert found.verdict is Verdict.PASS
    assert found.numbers == {"queues": 2, "taken": 2, "first_ms": 400.0, "last_ms": 600.0}


def test_a_queue_may_be_taken_over_before_the_kill_is_seen_to_have_taken_effect(tmp_path: Path) -> None:
    value = {"target": "consumer", "instance": "consumer-2", "address": "pid 7", "members": "consumer-1"}
    reads = [*BEFORE, (10.05, "consumer-1", 1), (10.2, "consumer-1", 0)]
    events = [
        Event(DEATH, "nemesis", "fault", "invoke", key="kill", value=value),
        Event(DEATH + 0.1, "nemesis", "fault", "ok", key="kill", value=value),
        *(
            Event(t, process, "receive", "ok", "drill", "broker-a", queue, number, key=f"p1-{number}")
            for number, (t, process, queue) in enumerate(reads)
        ),
    ]
    found = judge(sorted(events, key=lambda event: event.t), tmp_path)["takeover"]
    assert found.numbers == {"queues": 2, "taken": 2, "first_ms": 50.0, "last_ms": 200.0}


def test_a_queue_that_nobody_takes_over_is_not_judged_well(tmp_path: Path) -> None:
    found = judged(tmp_path, [*BEFORE, (11.0, "consumer-1", 0), (12.0, "consumer-3", 1)], members="consumer-1")
    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE
    assert (found.numbers["queues"], found.numbers["taken"], found.numbers["last_ms"]) == (2, 1, 1000.0)
    assert len(found.evidence) == 1


def test_a_queue_given_for_the_hundredth_time_and_a_hundredth_life_are_known(tmp_path: Path) -> None:
    before = [(8.0, "consumer-2.100", 0), (8.0, "consumer-2", 1)]
    after = [(10.5, "consumer-1.101", 0), (10.7, "consumer-2-100", 1)]
    found = judged(tmp_path, [*before, *after], members="consumer-1")
    assert found is not None
    assert found.numbers == {"queues": 2, "taken": 2, "first_ms": 500.0, "last_ms": 700.0}


@pytest.mark.parametrize(
    ("reads", "members"),
    [
        ([*BEFORE, (10.4, "consumer-1", 0)], None),
        ([(8.5, "consumer-2", 0), (9.0, "consumer-1", 0)], "consumer-1"),
        ([(10.5, "consumer-1", 0)], "consumer-1"),
    ],
    ids=["of no group", "it held none when it died", "it never read"],
)
def test_where_no_queue_was_left_alone_there_is_nothing_to_judge(
    tmp_path: Path, reads: list[tuple[float, str, int]], members: str | None
) -> None:
    assert judged(tmp_path, reads, members=members) is None

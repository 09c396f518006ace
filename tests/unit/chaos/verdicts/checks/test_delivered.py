"""What consumers passed, what they left, what they read again, and who is asked for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event
from tests.unit.chaos.verdicts.checks.delivering import (
    BROKER,
    GROUP,
    TOPIC,
    A,
    B,
    Delivering,
    alone,
    reads,
    sharing,
)
from tests.unit.chaos.verdicts.checks.recorded import judge, write

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
ALL = range(10)
LATE = (*map(float, range(1, 10)), 95.0)
"""The last message is acknowledged shortly before the load ends."""


def judged(drill: Delivering, directory: Path) -> CheckResult:
    return judge(drill.events(), directory)["delivered"]


CASES: dict[str, tuple[Delivering, Verdict, dict[str, int]]] = {
    "all is read": (Delivering(reads=reads("consumer-1", ALL)), PASS, {}),
    "the reader is known": (Delivering(reads=reads("consumer-1", ALL), consumers=alone("consumer-1")), PASS, {}),
    "one is passed": (Delivering(reads=reads("consumer-1", {*ALL} - {4})), FAIL, {"skipped": 1}),
    "where nobody says who reads what, another one may have been to read it": (
        Delivering(reads=(*reads("consumer-1", {*ALL} - {4}), *reads("consumer-2", [4]))),
        PASS,
        {},
    ),
    "each that reads alone is to read everything": (
        Delivering(
            reads=(*reads("consumer-1", {*ALL} - {4}), *reads("consumer-2", ALL)),
            consumers=alone("consumer-1", "consumer-2"),
        ),
        FAIL,
        {"skipped": 1},
    ),
    "members share": (
        Delivering(
            reads=(*reads("consumer-1", {*ALL} - {4}), *reads("consumer-2", [4])),
            consumers=sharing("consumer-1", "consumer-2"),
        ),
        PASS,
        {"redelivered": 0},
    ),
    "another group does not help": (
        Delivering(
            reads=(*reads("consumer-1", {*ALL} - {4}), *reads("consumer-2", ALL)),
            consumers={**sharing("consumer-1"), **sharing("consumer-2", group="others")},
        ),
        FAIL,
        {"skipped": 1},
    ),
    "the last one was not read, and there was time": (
        Delivering(reads=reads("consumer-1", range(9))), FAIL, {"unread": 1, "unread_too_long": 1}
    ),
    "the last one was not read, and there was little time": (
        Delivering(sent=LATE, reads=reads("consumer-1", range(9))),
        INCONCLUSIVE,
        {"unread": 1, "unread_too_long": 0},
    ),
    "a group of which nobody read": (
        Delivering(
            reads=reads("consumer-1", ALL),
            consumers={**sharing("consumer-1"), **sharing("consumer-2", group="others")},
        ),
        FAIL,
        {"unread": 10},
    ),
    "what nobody holds is lost, and told there": (
        Delivering(stored=9, reads=reads("consumer-1", range(9))), PASS, {"skipped": 0, "unread": 0}
    ),
    "one that was killed is not asked for the rest, and its next life reads all anew": (
        Delivering(
            reads=(*reads("consumer-1", range(5)), *reads("consumer-1-2", ALL, after=12)),
            consumers=alone("consumer-1"),
            killed=((6.5, 8.0, "", "consumer-1"),),
        ),
        PASS,
        {"readers": 2},
    ),
    "its next life reads not all": (
        Delivering(
            reads=(*reads("consumer-1", range(5)), *reads("consumer-1-2", {*ALL} - {2}, after=12)),
            consumers=alone("consumer-1"),
            killed=((6.5, 8.0, "", "consumer-1"),),
        ),
        FAIL,
        {"skipped": 1},
    ),
    "one that was killed passed a message before that": (
        Delivering(
            reads=(*reads("consumer-1", [0, 1, 3, 4]), *reads("consumer-1-2", ALL, after=12)),
            consumers=alone("consumer-1"),
            killed=((6.5, 8.0, "", "consumer-1"),),
        ),
        FAIL,
        {"skipped": 1},
    ),
    "a member died with messages in hand, and another one read them": (
        Delivering(
            reads=(*reads("consumer-1", range(5)), *reads("consumer-2", range(3, 10), after=9)),
            consumers=sharing("consumer-1", "consumer-2"),
            killed=((6.5, 20.0, "", "consumer-1"),),
        ),
        PASS,
        {"redelivered": 2, "redelivered_by_rebalance": 2, "redelivered_went_back": 0},
    ),
    "a member died, and the messages that it had in hand are read by nobody": (
        Delivering(
            reads=(*reads("consumer-1", range(5)), *reads("consumer-2", range(7, 10), after=9)),
            consumers=sharing("consumer-1", "consumer-2"),
            killed=((6.5, 20.0, "", "consumer-1"),),
        ),
        FAIL,
        {"skipped": 2},
    ),
    "what had been committed before was read again": (
        Delivering(
            reads=(*reads("consumer-1", range(8)), *reads("consumer-2", range(3, 10), after=20)),
            consumers=sharing("consumer-1", "consumer-2"),
            told=((10.0, A, 7), (15.0, B, 3)),
            masters=((0.0, A), (14.0, B)),
        ),
        PASS,
        {"redelivered": 5, "redelivered_by_rebalance": 0, "redelivered_went_back": 5},
    ),
    "the same one read again": (
        Delivering(
            reads=tuple(sorted((*reads("consumer-1", ALL), *reads("consumer-1", [3, 4], after=1.2)))),
            consumers=sharing("consumer-1"),
        ),
        PASS,
        {"redelivered": 2, "redelivered_again": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("drill", "verdict", "numbers"), CASES.values(), ids=CASES.keys())
def test_what_readers_passed_and_left(
    drill: Delivering, verdict: Verdict, numbers: dict[str, int], tmp_path: Path
) -> None:
    result = judged(drill, tmp_path)

    assert (result.verdict, {name: result.numbers[name] for name in numbers}) == (verdict, numbers), result


def test_what_was_passed_is_told_with_its_key_and_its_places(tmp_path: Path) -> None:
    (item,) = judged(Delivering(reads=reads("consumer-1", {*ALL} - {4})), tmp_path).evidence

    assert (item.key, item.broker, item.queue, item.offset) == ("k4", BROKER, 0, 4)
    assert item.found == (f"drain-a-0 at {BROKER}/0@4",)


@pytest.mark.parametrize(
    ("asked", "by", "verdict", "stale"),
    [(12.0, A, FAIL, 1), (6.0, A, PASS, 1), (12.0, B, PASS, 1), (4.0, A, PASS, 0)],
    ids=["long after", "shortly after", "by another broker", "before the acknowledgement"],
)
def test_a_broker_that_denies_what_it_acknowledged(
    asked: float, by: str, verdict: Verdict, stale: int, tmp_path: Path
) -> None:
    nothing = Event(
        asked + 1, "consumer-1", "receive", "info", TOPIC, BROKER, 0, 4, address=by, value={"asked": str(asked)}
    )
    events = [*Delivering(reads=reads("consumer-1", ALL)).events(), nothing]

    result = judge(sorted(events, key=lambda event: event.t), tmp_path)["delivered"]

    assert (result.verdict, result.numbers["stale_reads"]) == (verdict, stale), result


@pytest.mark.parametrize("wrote", [11, 10, 12])
def test_an_empty_answer_is_a_line_of_its_process(wrote: int, tmp_path: Path) -> None:
    drill = Delivering(reads=reads("consumer-1", ALL), consumers=alone("consumer-1"))
    nothing = Event(50.0, "consumer-1", "receive", "info", TOPIC, BROKER, 0, 10, address=A, value={"asked": "40"})
    events = [
        replace(event, value={"lines": str(wrote)})
        if (event.op, event.process) == ("run", "consumer-1")
        else event
        for event in sorted([*drill.events(), nothing], key=lambda event: event.t)
    ]

    result = judge(events, tmp_path)["history"]

    assert result.verdict is (PASS if wrote == 11 else INCONCLUSIVE), result


def test_how_long_a_consumer_may_need_is_a_bound(tmp_path: Path) -> None:
    events = Delivering(sent=LATE, reads=reads("consumer-1", range(9))).events()

    assert judge(events, tmp_path, Bounds(catch_up=5.0))["delivered"].verdict is FAIL


def test_a_range_that_is_settled_without_a_group_was_passed_by_it(tmp_path: Path) -> None:
    """All members, and another group, hold it alike; ranges are of 16 offsets here."""
    many = range(60)
    drill = Delivering(
        sent=tuple(float(number + 1) for number in many),
        reads=(*reads("consumer-1", many), *reads("consumer-2", {*many} - {*range(16, 32)})),
        consumers={**sharing("consumer-1"), **sharing("consumer-2", group="others")},
    )
    result = judged(drill, tmp_path)
    assert (result.verdict, result.numbers["skipped"]) == (FAIL, 16), result


def test_a_range_that_two_members_read_whole_was_redelivered(tmp_path: Path) -> None:
    many = range(60)
    drill = Delivering(
        sent=tuple(float(number + 1) for number in many),
        reads=(*reads("consumer-1", many), *reads("consumer-2", range(16, 32), after=62)),
        consumers=sharing("consumer-1", "consumer-2"),
    )
    result = judged(drill, tmp_path)
    assert (result.verdict, result.numbers["redelivered"]) == (PASS, 16), result


def told_otherwise(events: list[Event], **value: str) -> list[Event]:
    """Let the run say something else when it begins."""
    return [
        replace(event, value={**(event.value or {}), **value})
        if (event.op, event.type) == ("run", "invoke")
        else event
        for event in events
    ]


@pytest.mark.parametrize("name", ["delivered", "committed"])
def test_what_is_due_and_has_nothing_to_judge_is_inconclusive(name: str, tmp_path: Path) -> None:
    events = told_otherwise(Delivering(consumers=sharing("consumer-1")).events(), checks=name, consumers="{}")

    results = {result.name: result for result in evaluate(write(events, tmp_path)).results}

    assert results[name].verdict is INCONCLUSIVE, results[name]


@pytest.mark.parametrize(
    "text", ["[]", '{"consumer-1": 1}', '{"consumer-1": [1, 2]}', '{"producer-1": ["t", null]}', "{"]
)
def test_a_history_that_says_nonsense_of_its_consumers_is_inconclusive(text: str, tmp_path: Path) -> None:
    good = Delivering(consumers=sharing("consumer-1"), reads=reads("consumer-1", ALL)).events()

    (result,) = evaluate(write(told_otherwise(good, consumers=text), tmp_path)).results

    assert (result.name, result.verdict) == ("history", INCONCLUSIVE)


def test_a_group_is_named_in_what_is_told_of_it(tmp_path: Path) -> None:
    drill = Delivering(reads=reads("consumer-1", {*ALL} - {4}), consumers=sharing("consumer-1"))
    assert GROUP in judged(drill, tmp_path).summary

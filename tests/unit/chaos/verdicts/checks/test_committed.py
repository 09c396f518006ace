"""What a consumer group has committed: how far it may go back, and that it is not ahead of its reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.chaos.verdicts.verdict import Number, Verdict
from tests.unit.chaos.verdicts.checks.delivering import A, B, Delivering, reads, sharing
from tests.unit.chaos.verdicts.checks.recorded import judge

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
ONE = sharing("consumer-1")
TWO = sharing("consumer-1", "consumer-2")
ALL = reads("consumer-1", range(10))
CHANGE = ((0.0, A), (14.0, B))

CASES: dict[str, tuple[Delivering, Verdict, dict[str, Number]]] = {
    "it goes forward": (
        Delivering(reads=ALL, consumers=ONE, told=((2.5, A, 0), (5.0, A, 3), (20.0, A, 10))),
        PASS,
        {"registers": 1, "samples": 3, "changes_of_master": 0, "went_back": 0},
    ),
    "it goes back for no reason": (
        Delivering(reads=ALL, consumers=ONE, told=((20.0, A, 9), (21.0, A, 8), (22.0, A, 10))),
        FAIL,
        {"went_back_unexplained": 1, "beyond_what_was_read": 0},
    ),
    "a slave goes back": (
        Delivering(reads=ALL, consumers=ONE, told=((20.0, A, 9), (21.0, B, 9), (22.0, B, 2), (23.0, A, 10))),
        PASS,
        {"samples": 2},
    ),
    "a new master has older ones": (
        Delivering(reads=ALL, consumers=ONE, masters=CHANGE, told=((13.0, A, 9), (15.0, B, 4), (17.5, B, 10))),
        PASS,
        {
            "changes_of_master": 1,
            "went_back": 5,
            "went_back_most": 5,
            "went_back_on.a-1": 5,
            "behind_longest_ms": 2500.0,
            "read_again": 0,
        },
    ),
    "a new master has older ones for good": (
        Delivering(reads=ALL, consumers=ONE, masters=CHANGE, told=((13.0, A, 9), (15.0, B, 4), (17.5, B, 5))),
        PASS,
        {"went_back": 5, "behind_at_the_end": 1},
    ),
    "a new master goes back later": (
        Delivering(reads=ALL, consumers=ONE, masters=CHANGE, told=((13.0, A, 9), (15.0, B, 9), (17.5, B, 5))),
        FAIL,
        {"went_back": 0, "went_back_unexplained": 1},
    ),
    "what went back is read again": (
        Delivering(
            reads=(*ALL, *reads("consumer-2", range(4, 10), after=20)),
            consumers=TWO,
            masters=CHANGE,
            told=((13.0, A, 9), (15.0, B, 4), (30.0, B, 10)),
        ),
        PASS,
        {"went_back": 5, "read_again": 6},
    ),
    "the master was killed and came back with what it had written": (
        Delivering(
            reads=ALL,
            consumers=ONE,
            told=((20.0, A, 9), (27.0, A, 6), (29.0, A, 10)),
            killed=((21.0, 25.0, "broker-a", "a-0"),),
            silent=((22.0, A), (23.0, A)),
        ),
        PASS,
        {"went_back_at_restarts": 3, "behind_longest_ms": 2000.0},
    ),
    "a fault that did not take it away explains nothing": (
        Delivering(
            reads=ALL,
            consumers=ONE,
            told=((20.0, A, 9), (27.0, A, 6), (29.0, A, 10)),
            killed=((21.0, 25.0, "broker-a", "a-0"),),
        ),
        FAIL,
        {"went_back_unexplained": 1},
    ),
    "it did not answer, and nobody had struck it": (
        Delivering(
            reads=ALL, consumers=ONE, told=((20.0, A, 9), (27.0, A, 6), (29.0, A, 10)), silent=((22.0, A),)
        ),
        FAIL,
        {"went_back_unexplained": 1},
    ),
    "another member was given the queue before the last commit came": (
        Delivering(
            reads=(*ALL, *reads("consumer-2", range(6, 10), after=14)),
            consumers=TWO,
            told=((20.0, A, 6), (21.0, A, 9), (22.0, A, 7), (40.0, A, 10)),
        ),
        PASS,
        {"went_back_at_rebalances": 2, "went_back_unexplained": 0},
    ),
    "another member was given the queue, and began further on": (
        Delivering(
            reads=(*ALL, *reads("consumer-2", range(8, 10), after=12)),
            consumers=TWO,
            told=((20.0, A, 6), (21.0, A, 9), (22.0, A, 7), (40.0, A, 10)),
        ),
        FAIL,
        {"went_back_unexplained": 1},
    ),
    "another member was given the queue long ago": (
        Delivering(
            reads=(*reads("consumer-1", range(5)), *reads("consumer-2", range(4, 10), after=4)),
            consumers=TWO,
            told=((50.0, A, 9), (51.0, A, 7), (60.0, A, 10)),
        ),
        FAIL,
        {"went_back_unexplained": 1},
    ),
    "what nobody has read is committed": (
        Delivering(reads=ALL, consumers=ONE, told=((5.5, A, 4), (6.5, A, 8), (20.0, A, 10))),
        FAIL,
        {"beyond_what_was_read": 1},
    ),
    "what another group has read is committed": (
        Delivering(
            reads=(*reads("consumer-1", range(5)), *reads("consumer-2", range(10))),
            consumers={**ONE, **sharing("consumer-2", group="others")},
            told=((20.0, A, 10),),
        ),
        FAIL,
        {"beyond_what_was_read": 1},
    ),
    "a new master was not asked": (
        Delivering(reads=ALL, consumers=ONE, masters=CHANGE, told=((13.0, A, 9), (20.0, A, 9))), INCONCLUSIVE, {}
    ),
    "a group was not asked about": (
        Delivering(
            reads=(*ALL, *reads("consumer-2", range(10))),
            consumers={**ONE, **sharing("consumer-2", group="others")},
            told=((20.0, A, 10),),
        ),
        INCONCLUSIVE,
        {},
    ),
    "no master was asked": (Delivering(reads=ALL, consumers=ONE, told=((20.0, B, 10),)), INCONCLUSIVE, {}),
}  # fmt: skip


@pytest.mark.parametrize(("drill", "verdict", "numbers"), CASES.values(), ids=CASES.keys())
def test_a_register_goes_back_for_a_reason_only_and_not_ahead(
    drill: Delivering, verdict: Verdict, numbers: dict[str, Number], tmp_path: Path
) -> None:
    result = judge(drill.events(), tmp_path)["committed"]

    assert (result.verdict, {name: result.numbers[name] for name in numbers}) == (verdict, numbers), result


def test_who_commits_nothing_is_not_judged(tmp_path: Path) -> None:
    assert "committed" not in judge(Delivering(reads=ALL, consumers=ONE).events(), tmp_path)


def test_how_far_it_went_back_is_told_with_both_members(tmp_path: Path) -> None:
    drill, *_ = CASES["a new master has older ones"]
    (item,) = judge(drill.events(), tmp_path)["committed"].evidence

    assert item.note == "readers: 9 on a-0, then 4 on a-1"
    assert (item.broker, item.queue, item.t, item.ended) == ("broker-a", 0, 13.0, 15.0)

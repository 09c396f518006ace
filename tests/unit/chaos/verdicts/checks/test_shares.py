"""What share of the messages each broker group took."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rmqops.chaos.history.format import DRAIN
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event
from tests.unit.chaos.verdicts.checks.recorded import judge

Place = tuple[str, int]


def judged(
    directory: Path, taken: Mapping[Place, int], drained: list[Place] | None = None, *, limit: float = 0
) -> CheckResult | None:
    """Judge a history in which each queue took so many messages and each of ``drained`` was read back."""
    events: list[Event] = []
    for (broker, queue), number in taken.items():
        for offset in range(number):
            place = ("drill", broker, queue)
            key = f"p-{broker}-{queue}-{offset}"
            t = len(events) / 1000
            events += [
                Event(t, "producer-1", "send", "invoke", "drill", key=key),
                Event(t, "producer-1", "send", "ok", *place, offset, key),
            ]
    for broker, queue in list(taken) if drained is None else drained:
        end = taken.get((broker, queue), 0)
        events.append(Event(100.0, f"{DRAIN}{broker}-0", "receive", "invoke", "drill", broker, queue, end))
    return judge(events, directory, Bounds(uneven_limit=limit)).get("shares")


def test_the_shares_of_groups_and_the_extremes_of_their_queues(tmp_path: Path) -> None:
    found = judged(tmp_path, {("a", 0): 4, ("a", 1): 2, ("b", 0): 1, ("b", 1): 1})
    assert found is not None
    assert found.verdict is Verdict.PASS
    assert found.summary == "of 8 acknowledged messages: a 75.0 %, b 25.0 %"
    assert found.numbers == {
        "groups": 2, "acknowledged": 8, "uneven_percent": 50.0,
        "a.acknowledged": 6, "a.percent": 75.0, "a.queues": 2, "a.least_in_a_queue": 2, "a.most_in_a_queue": 4,
        "b.acknowledged": 2, "b.percent": 25.0, "b.queues": 2, "b.least_in_a_queue": 1, "b.most_in_a_queue": 1,
    }  # fmt: skip


def test_a_group_that_took_nothing_has_a_share_too(tmp_path: Path) -> None:
    found = judged(tmp_path, {("a", 0): 3, ("b", 0): 0})
    assert found is not None
    assert (found.numbers["a.percent"], found.numbers["b.percent"]) == (100.0, 0.0)


def test_messages_in_a_queue_that_nobody_read_back_are_no_pass(tmp_path: Path) -> None:
    found = judged(tmp_path, {("a", 0): 3, ("b", 0): 2, ("b", 1): 1}, [("a", 0), ("b", 0)])
    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.summary == "1 message of 6 in queues that nobody read back; a 50.0 %, b 33.3 %"


def test_nothing_acknowledged_proves_nothing(tmp_path: Path) -> None:
    found = judged(tmp_path, {("a", 0): 0, ("b", 0): 0})
    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE


def test_one_group_has_everything_and_is_not_judged(tmp_path: Path) -> None:
    assert judged(tmp_path, {("a", 0): 3, ("a", 1): 2}) is None


@pytest.mark.parametrize(("limit", "verdict"), [(33.3, Verdict.FAIL), (33.4, Verdict.PASS), (0, Verdict.PASS)])
def test_a_limit_fails_a_share_that_is_too_far_from_an_equal_one(
    tmp_path: Path, limit: float, verdict: Verdict
) -> None:
    found = judged(tmp_path, {("a", 0): 4, ("b", 0): 2}, limit=limit)
    assert found is not None
    assert found.verdict is verdict
    assert found.numbers["uneven_percent"] == 33.333
    assert ("33.3 % beside an equal share" in found.summary) is (verdict is Verdict.FAIL)


def test_one_group_cannot_be_even(tmp_path: Path) -> None:
    found = judged(tmp_path, {("a", 0): 3}, limit=2)
    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE

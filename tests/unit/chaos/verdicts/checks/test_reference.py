"""The checks find what a slow, obvious checker finds, in histories damaged at random."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plain_checks import Findings, find
from benchmarks.plain_delivery import Commits, Delivery, find_commits, find_delivery
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Verdict
from rmqops.model.history import Event, Type
from tests.unit.chaos.verdicts.checks.recorded import good, grouped, judge

TYPES: st.SearchStrategy[Type] = st.sampled_from(["ok", "info", "fail"])
SLICE = 40


def _messages(events: list[Event]) -> list[int]:
    return [number for number, event in enumerate(events) if event.op in ("send", "receive") and event.key]


class Damaged(list[Event]):
    """A history that hypothesis tells by what was done to it, not by thousands of events."""

    def __init__(self, events: list[Event], damage: list[str]) -> None:
        super().__init__(events)
        self.damage = damage

    def __repr__(self) -> str:
        return f"Damaged({', '.join(self.damage)})"


@st.composite
def damaged(draw: st.DrawFn) -> Damaged:
    """Take a good history and drop, double, move, rename or reclassify up to six lines."""
    size = draw(st.integers(1, 3))
    whole = draw(st.sampled_from([good, grouped]))
    events = list(whole(size))
    damage = [f"{whole.__name__}({size})"]
    for _ in range(draw(st.integers(1, 6))):
        places = _messages(events)
        # Half of the damage is near the ends, where the queues' last, open ranges are.
        at = places[draw(st.one_of(st.integers(0, len(places) - 1), st.integers(-SLICE, SLICE)))]
        event = events[at]
        kind = draw(st.sampled_from(["drop", "double", "move", "rename", "reclassify", "drop key"]))
        damage.append(f"{kind} {event}")
        if kind == "drop":
            del events[at]
        elif kind == "double":
            events.insert(at, event)
        elif kind == "move" and event.offset is not None:
            events[at] = replace(event, offset=max(0, event.offset + draw(st.integers(-3, 3))))
        elif kind == "rename":
            other = events[places[draw(st.integers(0, len(places) - 1))]].key
            events[at] = replace(event, key=draw(st.sampled_from([other, "stranger"])))
        elif kind == "reclassify" and event.op == "send" and event.type == "ok":
            events[at] = replace(event, type=draw(TYPES))
        elif kind == "drop key":
            events = [one for one in events if not (one.op == "receive" and one.key == event.key)]
    return Damaged(events, damage)


def _keys(result: CheckResult) -> set[str]:
    return {item.key for item in result.evidence if item.key is not None}


def _agree(result: CheckResult, found: set[str] | frozenset[str], **numbers: Any) -> None:
    assert {name: result.numbers[name] for name in numbers} == numbers, result
    if len(found) <= EVIDENCE_LIMIT // 2:
        assert _keys(result) == found, result


def _compare_delivery(result: CheckResult, expected: Delivery) -> None:
    numbers = {name: result.numbers.get(name, 0) for name in ("redelivered_again", "redelivered")}
    assert numbers == {"redelivered_again": expected.again, "redelivered": expected.again + expected.by_others}
    assert (result.verdict is Verdict.FAIL) == bool(expected.skipped | expected.skipped_unknown), result
    found = expected.skipped | expected.skipped_unknown or expected.unread
    _agree(
        result,
        found,
        skipped=len(expected.skipped),
        skipped_unacknowledged=len(expected.skipped_unknown),
        unread=len(expected.unread),
    )
    if not found:
        assert result.verdict is Verdict.PASS


def _compare(results: dict[str, CheckResult], expected: Findings) -> None:
    broken = expected.lost | expected.vanished | expected.vanished_places
    lost = results["lost"]
    _agree(
        lost,
        broken or _keys(lost),
        vanished=len(expected.vanished),
        vanished_places=len(expected.vanished_places - expected.lost - expected.vanished),
        undecided=len(expected.undecided),
    )
    assert lost.numbers["acknowledged"] == len(expected.acknowledged)
    if broken:
        assert (lost.verdict, lost.numbers["lost"]) == (Verdict.FAIL, len(expected.lost))
    else:
        assert lost.verdict is (
            Verdict.INCONCLUSIVE
            if expected.undecided or lost.numbers["undrained_queues"] or lost.numbers["unknown_places"]
            else Verdict.PASS
        )
    duplicated = results["duplicated"]
    chosen = expected.unexcused or expected.excused
    _agree(duplicated, chosen, excused=len(expected.excused), unexcused=len(expected.unexcused))
    assert (duplicated.verdict is Verdict.FAIL) == bool(expected.unexcused)
    unexpected = results["unexpected"]
    wrong = expected.unsent | expected.refused_but_stored
    _agree(unexpected, wrong, never_sent=len(expected.unsent), refused_but_stored=len(expected.refused_but_stored))
    assert (unexpected.verdict is Verdict.FAIL) == bool(wrong)
    offsets = results["offsets"]
    _agree(offsets, expected.sharing | expected.displaced, displaced=len(expected.displaced))
    assert (offsets.verdict is Verdict.FAIL) == bool(expected.sharing | expected.displaced)
    order = results["order"]
    assert order.numbers["out_of_order"] == len(expected.overtaken), order
    assert order.numbers["backwards"] == expected.backwards, order
    assert (order.verdict is Verdict.FAIL) == bool(expected.overtaken or expected.backwards)
    recovered = results["recovered"].numbers["recovered"]
    assert recovered in (None, len(expected.recovered))
    if results["replicas"].verdict is Verdict.FAIL or not expected.differing:
        assert _keys(results["replicas"]) == expected.differing or len(expected.differing) > EVIDENCE_LIMIT // 2
    else:
        raise AssertionError(f"members differ at {expected.differing}: {results['replicas']}")


@settings(max_examples=30, deadline=None)
@given(damaged())
def test_the_checks_agree_with_the_plain_checker(events: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as place:
        results = judge(events, Path(place))

    _compare(results, find(events))
    _compare_delivery(results["delivered"], find_delivery(events))


@st.composite
def with_other_commits(draw: st.DrawFn) -> Damaged:
    """Change what up to four members said of commits, and drop what consumers read or NameServers said."""
    events = list(grouped(draw(st.integers(1, 3))))
    damage = ["grouped"]
    told = [number for number, event in enumerate(events) if event.op == "committed" and event.type == "ok"]
    for _ in range(draw(st.integers(1, 4))):
        at = told[draw(st.integers(0, len(told) - 1))]
        queue = draw(st.sampled_from(["0", "1"]))
        offset = max(0, int((events[at].value or {})[queue]) + draw(st.integers(-9, 9)))
        events[at] = replace(events[at], value={**(events[at].value or {}), queue: str(offset)})
        damage.append(f"{events[at].process} at {events[at].t}: {offset} of {queue}")
    if draw(st.booleans()):
        gone = draw(st.sampled_from(_messages(events)))
        damage.append(f"without {events[gone]}")
        del events[gone]
    return Damaged(events, damage)


@settings(max_examples=20, deadline=None)
@given(with_other_commits())
def test_they_agree_on_what_a_group_has_committed(events: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as place:
        result = judge(events, Path(place))["committed"]

    found = find_commits(events)
    names = ("went_back", "went_back_unexplained", "beyond_what_was_read")
    numbers = [result.numbers[name] for name in names]
    assert Commits(*numbers) == found, result  # type: ignore[arg-type]
    assert (result.verdict is Verdict.FAIL) == bool(found.unexplained or found.ahead)


def test_they_agree_on_an_acknowledgement_that_nobody_sent_and_that_is_stored_elsewhere(tmp_path: Path) -> None:
    events = list(good(2))
    acknowledged = next(
        n for n, event in enumerate(events) if (event.op, event.type, event.offset) == ("send", "ok", 52)
    )
    queue = events[acknowledged].queue
    for number, event in enumerate(events):
        later = event.process == "drain-broker-a-n2" and (event.type, event.queue, event.offset) == (
            "ok",
            queue,
            56,
        )
        if number == acknowledged or later:
            events[number] = replace(event, key="stranger")

    results = judge(events, tmp_path)

    assert results["order"].numbers["out_of_order"] == 1
    _compare(results, find(events))


def test_they_agree_on_a_message_that_was_sent_after_its_acknowledgement(tmp_path: Path) -> None:
    events = [event for event in good(1) if (event.type, event.key) != ("invoke", "0-00000002")]
    late = next(
        number for number, event in enumerate(events) if (event.type, event.key) == ("invoke", "1-0000000d")
    )
    events[late] = replace(events[late], key="0-00000002")

    results = judge(events, tmp_path)

    assert results["order"].numbers["out_of_order"] == 2
    _compare(results, find(events))

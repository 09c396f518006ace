"""One event of a good history is changed; the right check notices, and only that.

It is a real one, recorded while a master was killed, another stood still, and then a majority did; and an imitated
one, where each kind of event is at a place that is known.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.history.format import RECOVERED
from rmqops.chaos.history.reader import open_history
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.model.history import Event
from tests.unit.chaos.verdicts.checks.recorded import (
    SMALL_RANGES,
    acknowledged,
    drained,
    end_of,
    good,
    grouped,
    is_read,
    judge,
    longer,
    recorded,
    write,
)

Events = tuple[Event, ...]
FAIL, INCONCLUSIVE = Verdict.FAIL, Verdict.INCONCLUSIVE


def _range(event: Event) -> tuple[int | None, int]:
    return event.queue, (event.offset or 0) >> SMALL_RANGES


def _in_settled(events: Events) -> list[Event]:
    """Return the acknowledgements in ranges that are settled while nothing is changed: without anything else."""
    found = Counter(_range(event) for event in acknowledged(events))
    return [event for event in acknowledged(events) if found[_range(event)] == 1 << SMALL_RANGES]


def _settled(events: Events, number: int = 3) -> Event:
    """Return an acknowledgement in a settled range."""
    return _in_settled(events)[number]


def _member(events: Events) -> str:
    """Return the last member that is read back."""
    return max(event.process for event in events if drained(event))


def _unknown(events: Events, *, stored: bool) -> Event:
    keys = {event.key for event in events if drained(event)}
    return next(
        event for event in events if event.op == "send" and event.type == "info" and (event.key in keys) is stored
    )


def lose_everywhere(events: Events) -> list[Event]:
    key = _settled(events).key
    return [event for event in events if not (drained(event) and event.key == key)]


def lose_in_one_member(events: Events) -> list[Event]:
    key, member = _settled(events).key, _member(events)
    return [event for event in events if not (is_read(event, key) and event.process == member)]


def lose_the_end_of_one_member(events: Events) -> list[Event]:
    last = max(number for number, event in enumerate(events) if drained(event))
    return [*events[:last], *events[last + 1 :]]


def store_twice(events: Events) -> list[Event]:
    message = _settled(events)
    return longer(events, message, message.key)


def _two_of_one_producer(events: Events) -> tuple[Event, Event]:
    first = _settled(events, 0)
    second = next(
        event
        for event in acknowledged(events)
        if (event.process, event.queue) == (first.process, first.queue) and event.t > first.t + 2
    )
    return first, second


def swap_where_stored(events: Events) -> list[Event]:
    """Two messages of one producer stand in each other's places, and were acknowledged in their own."""
    first, second = _two_of_one_producer(events)
    keys = {first.offset: second.key, second.offset: first.key}
    return [
        replace(event, key=keys[event.offset])
        if (event.op, event.type, event.queue) == ("receive", "ok", first.queue) and event.offset in keys
        else event
        for event in events
    ]


def share_a_place(events: Events) -> list[Event]:
    """All agree that a message stands where another stands as well, and that its own place is empty."""
    message = next(event for event in _in_settled(events) if (event.offset or 0) % 16 == 4)
    return [
        replace(event, offset=(message.offset or 0) + 1)
        if event.key == message.key and event.offset is not None
        else event
        for event in events
    ]


def swap_in_order(events: Events) -> list[Event]:
    """Two messages of one producer and queue change places, everywhere and consistently."""
    first, second = _two_of_one_producer(events)
    other = {first.offset: second.offset, second.offset: first.offset}
    keys = {first.offset: second.key, second.offset: first.key}
    changed = []
    for event in events:
        if event.op == "send" and event.type == "ok" and event.key in (first.key, second.key):
            changed.append(replace(event, offset=other[event.offset]))
        elif event.op == "receive" and event.type == "ok" and event.queue == first.queue and event.offset in keys:
            changed.append(replace(event, key=keys[event.offset]))
        else:
            changed.append(event)
    return changed


def swap_in_one_member(events: Events) -> list[Event]:
    first, second = _two_of_one_producer(events)
    keys = {first.offset: second.key, second.offset: first.key}
    member = _member(events)
    return [
        replace(event, key=keys[event.offset])
        if event.process == member and event.queue == first.queue and event.offset in keys
        and event.type == "ok" else event
        for event in events
    ]  # fmt: skip


def forge_an_offset(events: Events) -> list[Event]:
    message = _settled(events)
    return [replace(event, offset=(event.offset or 0) + 1) if event is message else event for event in events]


def forge_a_message(events: Events) -> list[Event]:
    return longer(events, _settled(events), "nobody-sent-this")


def forge_a_read(events: Events) -> list[Event]:
    read = next(event for event in events if event.process.startswith("consumer-"))
    last = max(
        event.offset or 0 for event in events if event.process == read.process and event.queue == read.queue
    )
    return [*events, replace(read, t=events[-1].t, offset=last + 1, key="nobody-sent-this")]


def forge_an_acknowledgement(events: Events) -> list[Event]:
    message = _unknown(events, stored=False)
    offset = end_of(events, message)
    return [
        replace(event, type="ok", offset=offset, error=None, address=None) if event is message else event
        for event in events
    ]


def acknowledge_to_unknown(events: Events) -> list[Event]:
    message = _settled(events)
    return [replace(event, type="info", offset=None) if event is message else event for event in events]


def unknown_to_acknowledged(events: Events) -> list[Event]:
    message = _unknown(events, stored=True)
    read = next(event for event in events if is_read(event, message.key))
    return [
        replace(event, type="ok", offset=read.offset, error=None) if event is message else event
        for event in events
    ]


def acknowledge_to_refused(events: Events) -> list[Event]:
    message = _settled(events)
    return [replace(event, type="fail", offset=None) if event is message else event for event in events]


def consume_twice(events: Events) -> list[Event]:
    read = next(event for event in events if event.process.startswith("consumer-"))
    place = events.index(read)
    return [*events[: place + 1], *events[place:]]


def send_from_nowhere(events: Events) -> list[Event]:
    key = _settled(events).key
    return [event for event in events if not (event.op == "send" and event.type == "invoke" and event.key == key)]


def acknowledge_twice(events: Events) -> list[Event]:
    place = events.index(_settled(events))
    return [*events[: place + 1], *events[place:]]


def _consumed(event: Event) -> bool:
    return event.process.startswith("consumer-") and event.op == "receive"


def never_read(events: Events) -> list[Event]:
    """The consumers pass a message that all members hold."""
    key = _settled(events).key
    return [event for event in events if not (_consumed(event) and event.key == key)]


def never_read_a_whole_range(events: Events) -> list[Event]:
    gone = _range(_settled(events))
    return [event for event in events if not (_consumed(event) and _range(event) == gone)]


def never_read_what_nobody_knew_of(events: Events) -> list[Event]:
    key = _unknown(events, stored=True).key
    return [event for event in events if not (_consumed(event) and event.key == key)]


def _last(events: Events) -> str | None:
    """Return the key of the last message of a queue, which was acknowledged."""
    acks = [event for event in acknowledged(events) if event.queue == 0]
    return max(acks, key=lambda event: event.offset or 0).key


def stop_short_of_the_end(events: Events) -> list[Event]:
    key = _last(events)
    return [event for event in events if not (_consumed(event) and event.key == key)]


def read_nothing_of_a_queue(events: Events) -> list[Event]:
    """A message of it was acknowledged so long before the end that nobody can have lacked the time."""
    return [
        replace(event, t=event.t + 100) if event.process.startswith("drain-") else event
        for event in events
        if not (_consumed(event) and event.queue == 0)
    ]


def _nothing(events: Events, after: float, by: str | None = None) -> list[Event]:
    message = _settled(events)
    asked = message.t + after
    said = Event(
        asked + 1, "consumer-7", "receive", "info", message.topic, message.broker, message.queue, message.offset,
        address=by or message.address, value={"asked": f"{asked:.6f}"},
    )  # fmt: skip
    return sorted([*events, said], key=lambda event: event.t)


def deny_a_message(events: Events) -> list[Event]:
    """The broker that acknowledged it says long afterwards that there is none."""
    return _nothing(events, 5.5)


def deny_it_elsewhere(events: Events) -> list[Event]:
    """So says another broker, such as one that is no master any more."""
    return _nothing(events, 5.5, "127.0.0.1:1")


def deny_it_at_once(events: Events) -> list[Event]:
    return _nothing(events, 0.5)


def doubt_the_fault(events: Events) -> list[Event]:
    return [
        replace(event, type="info") if (event.op, event.type) == ("fault", "ok") else event for event in events
    ]


def fail_the_heal(events: Events) -> list[Event]:
    return [
        replace(event, type="fail") if (event.op, event.type, event.key) == ("heal", "ok", "kill") else event
        for event in events
    ]


def never_recover(events: Events) -> list[Event]:
    return [
        replace(event, type="fail") if (event.type, event.key) == ("ok", RECOVERED) else event for event in events
    ]


def forget_recovery(events: Events) -> list[Event]:
    return [event for event in events if event.key != RECOVERED]


def drop_the_master(events: Events) -> list[Event]:
    """After the heal one NameServer has no master for a while: the rejoin window of apache/rocketmq#1464."""
    heal = next(event.t for event in events if event.op == "heal")
    return [
        replace(event, value={"2": min((event.value or {}).values())})
        if event.op == "route" and event.process == "namesrv-2" and heal < event.t < heal + 4
        else event
        for event in events
    ]


def make_two_faced(events: Events) -> list[Event]:
    place = next(number for number, event in enumerate(events) if event.op == "route")
    answer = replace(events[place], value={**(events[place].value or {}), "9": (events[place].value or {})["0"]})
    return [*events[:place], answer, *events[place + 1 :]]


def refuse_now_and_then(events: Events) -> list[Event]:
    fault = next(event.t for event in events if event.op == "fault")
    refused = []
    for number in range(int(events[-1].t - fault) + 1):
        t = fault + number + 0.5
        sent = Event(t, "producer-9", "send", "invoke", topic="t", key=f"x-{number}")
        refused += [sent, replace(sent, t=t + 0.001, type="fail")]
    return sorted([*events, *refused], key=lambda event: event.t)


def stop_reading_a_queue(events: Events) -> list[Event]:
    """No member is read back to the end of queue 0."""
    end = end_of(events, next(event for event in events if event.queue == 0)) - 1
    return [event for event in events if not (drained(event) and event.queue == 0 and event.offset == end)]


def lose_a_whole_range_in_one_member(events: Events) -> list[Event]:
    member, gone = _member(events), _range(_settled(events))
    return [
        event for event in events if not (event.process == member and event.type == "ok" and _range(event) == gone)
    ]


def ask_one_member_too_early(events: Events) -> list[Event]:
    """The end offset was asked for while sends went on, so it is not the end."""
    member = _member(events)
    return [
        replace(event, t=1.0) if (event.process, event.queue, event.type) == (member, 0, "invoke") else event
        for event in events
    ]


def give_up_on_one_member(events: Events) -> list[Event]:
    member = _member(events)
    read = next(event for event in events if event.process == member)
    return [*events, Event(events[-1].t, read.process, "receive", "fail", read.topic, read.broker, 0)]


def lead_the_same_term(events: Events) -> list[Event]:
    led = next(event for event in events if event.op == "leader")
    return [*events, replace(led, process="broker-a-9")]


def lose_a_log(events: Events) -> list[Event]:
    return [
        replace(event, type="fail", value=None, error="gone") if event.op == "leader" else event
        for event in events
    ]


CASES: list[tuple[Callable[[Events], list[Event]], dict[str, Verdict]]] = [
    (lose_everywhere, {"lost": FAIL}),
    (lose_in_one_member, {"replicas": FAIL}),
    (lose_the_end_of_one_member, {"replicas": INCONCLUSIVE}),
    (lose_a_whole_range_in_one_member, {"replicas": FAIL}),
    (ask_one_member_too_early, {"replicas": INCONCLUSIVE}),
    (give_up_on_one_member, {"replicas": INCONCLUSIVE}),
    (store_twice, {"duplicated": FAIL}),
    # What is swapped or moved is also read before it was sent, or leaves a place of which nobody knows.
    (swap_in_order, {"order": FAIL, "history": INCONCLUSIVE}),
    (swap_where_stored, {"offsets": FAIL, "order": FAIL, "history": INCONCLUSIVE}),
    (share_a_place, {"offsets": FAIL, "order": FAIL, "lost": INCONCLUSIVE}),
    (swap_in_one_member, {"offsets": FAIL, "replicas": FAIL}),
    (forge_an_offset, {"offsets": FAIL}),
    (forge_a_message, {"unexpected": FAIL}),
    (forge_a_read, {"unexpected": FAIL}),
    (forge_an_acknowledgement, {"lost": FAIL}),
    (acknowledge_to_unknown, {}),
    (unknown_to_acknowledged, {}),
    (acknowledge_to_refused, {"unexpected": FAIL}),
    (consume_twice, {"order": FAIL}),
    (send_from_nowhere, {"history": INCONCLUSIVE}),
    (acknowledge_twice, {"history": INCONCLUSIVE}),
    (never_read, {"delivered": FAIL}),
    (never_read_a_whole_range, {"delivered": FAIL}),
    (never_read_what_nobody_knew_of, {"delivered": FAIL}),
    (stop_short_of_the_end, {"delivered": INCONCLUSIVE}),
    (read_nothing_of_a_queue, {"delivered": FAIL}),
    (deny_a_message, {"delivered": FAIL}),
    (deny_it_elsewhere, {}),
    (deny_it_at_once, {}),
    (doubt_the_fault, {"faults": INCONCLUSIVE}),
    (fail_the_heal, {"recovery": INCONCLUSIVE}),
    (never_recover, {"recovery": FAIL}),
    (forget_recovery, {"recovery": INCONCLUSIVE}),
    (drop_the_master, {"routes": FAIL}),
    (make_two_faced, {"routes": FAIL}),
    (lead_the_same_term, {"leaders": FAIL}),
    (lose_a_log, {"leaders": INCONCLUSIVE}),
    (refuse_now_and_then, {"availability": FAIL, "service": FAIL}),
    (
        stop_reading_a_queue,
        dict.fromkeys(("lost", "recovered", "duplicated", "unexpected", "replicas"), INCONCLUSIVE),
    ),
]


@pytest.mark.parametrize("whole", [recorded, good], ids=["recorded", "imitated"])
@pytest.mark.parametrize(("mutate", "expected"), CASES, ids=[mutate.__name__ for mutate, _ in CASES])
def test_a_mutation_flips_the_right_check_and_only_that(
    mutate: Callable[[Events], list[Event]],
    expected: dict[str, Verdict],
    whole: Callable[[], Events],
    tmp_path: Path,
) -> None:
    mutated = mutate(whole())
    assert mutated != list(whole())

    results = judge(mutated, tmp_path)

    flipped = {name: result.verdict for name, result in results.items() if result.verdict is not Verdict.PASS}
    assert flipped == expected, {name: results[name].summary for name in flipped | expected}


def _told(events: Events, t: float, by: str = "broker-a-n1") -> int:
    """Return the place of what a member said of commits at a time, or soon after."""
    return next(
        number
        for number, event in enumerate(events)
        if event.op == "committed" and event.process == by and event.t >= t
    )


def _with_offsets(events: Events, place: int, by: int) -> list[Event]:
    told = events[place]
    value = {queue: str(max(0, int(offset) + by)) for queue, offset in (told.value or {}).items()}
    return [*events[:place], replace(told, value=value), *events[place + 1 :]]


def go_back_on_a_master(events: Events) -> list[Event]:
    """Long after the new master was elected it says less than before."""
    return _with_offsets(events, _told(events, 15.0), -2)


def commit_what_nobody_read(events: Events) -> list[Event]:
    last = max(
        number for number, event in enumerate(events) if event.op == "committed" and event.process[-1] == "1"
    )
    return _with_offsets(events, last, 3)


def go_back_on_a_slave(events: Events) -> list[Event]:
    return _with_offsets(events, _told(events, 15.0, "broker-a-n2"), -2)


def ask_the_new_master_nothing(events: Events) -> list[Event]:
    return [event for event in events if not (event.op == "committed" and event.process == "broker-a-n1")]


def never_read_by_this_group(events: Events) -> list[Event]:
    """Another group has read the message, which does not help the first."""
    told = json.loads((events[0].value or {})["consumers"])
    message = _settled(events)
    other = Event(
        message.t + 1, "consumer-9", "receive", "ok", message.topic, message.broker, message.queue, message.offset,
        message.key, address=message.address,
    )  # fmt: skip
    first = replace(
        events[0],
        value={
            **(events[0].value or {}),
            "consumers": json.dumps({**told, "consumer-9": [message.topic, "other"]}),
        },
    )
    ended = Event(events[-2].t, "consumer-9", "run", "ok", value={"lines": "1"})
    rest = [event for event in events[1:-1] if not (_consumed(event) and event.key == message.key)]
    lines = {
        event.process: sum(_consumed(each) and each.process == event.process for each in rest) for event in rest
    }
    rest = [
        replace(event, value={"lines": str(lines[event.process])}) if event.op == "run" else event
        for event in rest
    ]
    return [first, *sorted([*rest, other, ended], key=lambda event: event.t), events[-1]]


GROUPED: list[tuple[Callable[[Events], list[Event]], dict[str, Verdict]]] = [
    (go_back_on_a_master, {"committed": FAIL}),
    (commit_what_nobody_read, {"committed": FAIL}),
    (go_back_on_a_slave, {}),
    (ask_the_new_master_nothing, {"committed": INCONCLUSIVE}),
    # What it was committed past, at the moment when it was the last, it has not read.
    (never_read_by_this_group, {"delivered": FAIL, "committed": FAIL}),
]


@pytest.mark.parametrize(("mutate", "expected"), GROUPED, ids=[mutate.__name__ for mutate, _ in GROUPED])
def test_a_mutation_of_what_a_group_committed_flips_the_right_check(
    mutate: Callable[[Events], list[Event]], expected: dict[str, Verdict], tmp_path: Path
) -> None:
    mutated = mutate(grouped())
    assert mutated != list(grouped())

    results = judge(mutated, tmp_path)

    flipped = {name: result.verdict for name, result in results.items() if result.verdict is not Verdict.PASS}
    assert flipped == expected, {name: results[name].summary for name in flipped | expected}


@pytest.mark.parametrize("whole", [recorded, good], ids=["recorded", "imitated"])
def test_the_messages_that_are_changed_are_in_settled_ranges(whole: Callable[[], Events], tmp_path: Path) -> None:
    with open_history(write(whole(), tmp_path), SMALL_RANGES) as history:
        settled = history.query("select r from settled where r = ?", [_range(_settled(whole()))[1]])

    assert settled


@pytest.mark.parametrize(
    ("whole", "found"), [(recorded, 17), (good, 3), (grouped, 3)], ids=["recorded", "imitated", "grouped"]
)
def test_the_good_history_passes_every_check(whole: Callable[[], Events], found: int, tmp_path: Path) -> None:
    results = judge(whole(), tmp_path)

    assert {result.verdict for result in results.values()} == {Verdict.PASS}, results
    assert results["recovered"].numbers["recovered"] == found


@pytest.mark.parametrize(("mutate", "change"), [(acknowledge_to_unknown, 1), (unknown_to_acknowledged, -1)])
def test_a_reclassified_send_changes_the_count_of_recovered(
    mutate: Callable[[Events], list[Event]], change: int, tmp_path: Path
) -> None:
    before = judge(good(), tmp_path)["recovered"].numbers["recovered"]
    after = judge(mutate(good()), tmp_path)["recovered"].numbers["recovered"]

    assert isinstance(before, int)
    assert after == before + change


def test_a_send_that_nothing_followed_is_indeterminate(tmp_path: Path) -> None:
    """Its first attempt was refused; the process died during the second."""
    refused = next(event for event in good() if event.op == "send" and event.type == "fail")
    sent = next(event for event in good() if event.key == refused.key)
    at = good().index(refused)
    died = [
        Event(
            refused.t, "nemesis", "fault", kind, key="kill", value={"target": "producer", "instance": sent.process}
        )
        for kind in ("invoke", "ok")
    ]
    healed = next(event for event in good() if event.op == "heal" and event.type == "invoke")
    replaced = [replace(event, t=healed.t, op="heal") for event in died]
    later = good()[at + 1 :]
    place = later.index(healed)
    events = [*good()[: at + 1], replace(sent, t=refused.t), *died, *later[:place], *replaced, *later[place:]]

    before, after = judge(good(), tmp_path), judge(events, tmp_path)

    counts = [results["recovered"].numbers["indeterminate"] for results in (before, after)]
    assert isinstance(counts[0], int)
    assert counts[1] == counts[0] + 1
    assert {result.verdict for result in after.values()} == {Verdict.PASS}


def test_what_one_member_lacks_is_undecided_while_another_was_not_read_to_its_end(tmp_path: Path) -> None:
    key = next(event for event in _in_settled(good()) if event.queue == 0).key
    events = [event for event in ask_one_member_too_early(good()) if not (drained(event) and event.key == key)]

    result = judge(events, tmp_path)["lost"]

    assert (result.verdict, result.numbers["undecided"]) == (Verdict.INCONCLUSIVE, 1)


def test_a_message_stored_twice_is_excused_when_nobody_knew_its_outcome(tmp_path: Path) -> None:
    message = _unknown(good(), stored=True)

    result = judge(longer(good(), message, message.key), tmp_path)["duplicated"]

    assert (result.verdict, result.numbers["duplicated"]) == (Verdict.PASS, 1)


def test_a_message_stored_twice_is_excused_when_its_client_tried_again_inside(tmp_path: Path) -> None:
    message = _settled(good())
    events = [replace(event, value={"attempts": "2"}) if event is message else event for event in good()]

    result = judge(longer(events, message, message.key), tmp_path)["duplicated"]

    assert (result.verdict, result.numbers["excused"]) == (Verdict.PASS, 1)


def test_the_evidence_tells_a_lost_message_s_story(tmp_path: Path) -> None:
    message = _settled(good())

    (item,) = judge(lose_everywhere(good()), tmp_path)["lost"].evidence

    assert (item.key, item.process, item.broker, item.queue, item.offset) == (
        message.key, message.process, message.broker, message.queue, message.offset,
    )  # fmt: skip
    assert item.address == message.address
    assert item.ended == pytest.approx(message.t)
    assert item.found == (f"consumer-0 at {message.broker}/{message.queue}@{message.offset}",)
    assert item.missing == ("drain-broker-a-n0", "drain-broker-a-n1", "drain-broker-a-n2")


def test_a_group_without_terms_has_no_leaders_to_judge(tmp_path: Path) -> None:
    first = next(event for event in good() if event.op == "route")
    events = [replace(event, value=first.value) if event.op == "route" else event for event in good()]

    assert "leaders" not in judge([event for event in events if event.op != "leader"], tmp_path)


def test_a_group_that_was_seen_to_elect_has_terms(tmp_path: Path) -> None:
    result = judge([event for event in good() if event.op != "leader"], tmp_path)["leaders"]

    assert result.verdict is INCONCLUSIVE


def test_what_was_lost_has_a_span(tmp_path: Path) -> None:
    lost = [lose_everywhere, forge_an_acknowledgement]
    assert all(judge(mutate(good()), tmp_path)["lost"].numbers["rpo_span_ms"] == 0 for mutate in lost)
    first, *_, last = acknowledged(good())[2:-40]
    cut = [e for e in good() if not (e.op == "receive" and e.key in (first.key, last.key))]
    span = judge(cut, tmp_path)["lost"].numbers["rpo_span_ms"]
    assert span == pytest.approx((last.t - first.t) * 1000, abs=1)


def test_latencies_are_told_before_during_and_after(tmp_path: Path) -> None:
    numbers = judge(good(), tmp_path)["availability"].numbers
    start = next(event.t for event in good() if event.op == "fault")
    sent = {event.key: event.t for event in good() if event.op == "send" and event.type == "invoke"}
    took = [1000 * (e.t - sent[e.key]) for e in acknowledged(good()) if sent[e.key] < start]
    assert numbers["before_acknowledged_max_ms"] == pytest.approx(max(took), abs=0.01)
    assert numbers["before_acknowledged_p50_ms"] == pytest.approx(statistics.median(took), abs=0.01)
    before, after = numbers["before_end_to_end_p50_ms"], numbers["before_acknowledged_p50_ms"]
    assert isinstance(before, float)
    assert isinstance(after, float)
    assert before > after

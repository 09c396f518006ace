"""The message checks as one would write them on a first day: dicts and lists of every event. Slow, and obvious.

The tests hold the real checks to this one, and ``checks_speed.py`` measures against it. It shares nothing with
them but the event.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rmqops.model.history import Event

Place = tuple[str | None, str | None, int | None, int | None]


@dataclass(frozen=True)
class Findings:
    """The keys that each check finds."""

    acknowledged: frozenset[str]
    lost: frozenset[str]
    vanished: frozenset[str]
    undecided: frozenset[str]
    recovered: frozenset[str]
    excused: frozenset[str]
    unexcused: frozenset[str]
    unsent: frozenset[str]
    refused_but_stored: frozenset[str]
    sharing: frozenset[str]
    displaced: frozenset[str]
    overtaken: frozenset[str]
    backwards: int
    differing: frozenset[str]


def _place(event: Event) -> Place:
    return (event.topic, event.broker, event.queue, event.offset)


def find(events: Iterable[Event]) -> Findings:
    """Judge every message of a history."""
    everything = list(events)
    sends: dict[str, list[Event]] = defaultdict(list)
    drained: list[Event] = []
    consumed: list[Event] = []
    ends: dict[tuple[str, Place], Event] = {}
    failed: set[tuple[str, Place]] = set()
    for event in everything:
        if event.op == "send":
            sends[str(event.key)].append(event)
        elif event.op == "receive":
            queue = (event.process, (event.topic, event.broker, event.queue, None))
            if event.type == "invoke":
                ends[queue] = event
            elif event.type != "ok":
                failed.add(queue)
            elif event.process.startswith("drain-"):
                drained.append(event)
            else:
                consumed.append(event)
    reached: dict[tuple[str, Place], int] = defaultdict(int)
    for read in drained:
        queue = (read.process, (read.topic, read.broker, read.queue, None))
        reached[queue] = max(reached[queue], int(read.offset or 0) + 1)
    oks = [event for group in sends.values() for event in group if event.type == "ok"]
    last: dict[Place, float] = defaultdict(float)
    for event in oks:
        queue_of = (event.topic, event.broker, event.queue, None)
        last[queue_of] = max(last[queue_of], event.t)
    complete = {
        queue: queue not in failed and reached[queue] >= int(event.offset or 0) and last[queue[1]] <= event.t
        for queue, event in ends.items()
    }

    def outcome(group: list[Event]) -> str:
        types = [event.type for event in group]
        if "ok" in types:
            return "acknowledged"
        if "info" in types or types.count("invoke") > len(types) - types.count("invoke"):
            return "indeterminate"
        return "refused"

    def decided(queue: Place) -> bool:
        mine = [whole for (_, other), whole in complete.items() if other == queue]
        return bool(mine) and all(mine)

    stored: dict[str, set[tuple[str, Place]]] = defaultdict(set)
    for read in drained:
        stored[str(read.key)].add((read.process, _place(read)))
    acknowledged = {key for key, group in sends.items() if outcome(group) == "acknowledged"}
    first_ok = {str(event.key): event for event in reversed(oks)}
    absent = acknowledged - stored.keys()
    lost = {key for key in absent if decided((*_place(first_ok[key])[:3], None))}
    gone = {
        str(event.key): event
        for event in consumed
        if str(event.key) in sends and str(event.key) not in acknowledged and str(event.key) not in stored
    }
    vanished = {key for key, event in gone.items() if decided((*_place(event)[:3], None))}
    read_keys = stored.keys() | {str(event.key) for event in consumed}

    copies: dict[str, int] = {}
    for key, places in stored.items():
        by_group: dict[str | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for process, place in places:
            by_group[place[1]][process] += 1
        copies[key] = sum(max(counts.values()) for counts in by_group.values())
    twice = {key for key, number in copies.items() if number > 1}

    def excused(key: str) -> bool:
        group = sends.get(key, [])
        attempts = sum(event.type == "invoke" for event in group)
        inside = any(event.value and int(event.value.get("attempts", "1")) > 1 for event in group)
        return not group or attempts > 1 or inside or outcome(group) == "indeterminate"

    holders: dict[Place, set[str]] = defaultdict(set)
    for event in (*oks, *drained, *consumed):
        holders[_place(event)].add(str(event.key))
    sharing = {key for keys in holders.values() if len(keys) > 1 for key in keys}
    displaced = {
        str(event.key)
        for event in oks
        if str(event.key) in stored and _place(event) not in {place for _, place in stored[str(event.key)]}
    }
    return Findings(
        acknowledged=frozenset(acknowledged),
        lost=frozenset(lost),
        vanished=frozenset(vanished),
        undecided=frozenset((absent - lost) | (gone.keys() - vanished)),
        recovered=frozenset(key for key in stored if key in sends and outcome(sends[key]) == "indeterminate"),
        excused=frozenset(key for key in twice if excused(key)),
        unexcused=frozenset(key for key in twice if not excused(key)),
        unsent=frozenset(read_keys - sends.keys()),
        refused_but_stored=frozenset(
            key for key in read_keys if key in sends and outcome(sends[key]) == "refused"
        ),
        sharing=frozenset(sharing),
        displaced=frozenset(displaced),
        overtaken=_overtaken(sends, stored),
        backwards=_backwards(consumed),
        differing=_differing(stored, complete),
    )


def _overtaken(sends: dict[str, list[Event]], stored: dict[str, set[tuple[str, Place]]]) -> frozenset[str]:
    """Find messages behind one that their producer sent after their acknowledgement."""
    queues: dict[tuple[str, Place], list[tuple[int, float, float, str]]] = defaultdict(list)
    for key, group in sends.items():
        answers = [event for event in group if event.type == "ok"]
        invoked = [event.t for event in group if event.type == "invoke"]
        if len(answers) != 1 or not invoked or key not in stored:
            continue
        ok = answers[0]
        mine = [place for _, place in stored.get(key, set()) if place[:3] == _place(ok)[:3]]
        offset = min((int(place[3] or 0) for place in mine), default=int(ok.offset or 0))
        ended = max(event.t for event in group if event.type != "invoke")
        queues[ok.process, (*_place(ok)[:3], None)].append((offset, min(invoked), ended, key))
    found = set()
    for mine in queues.values():
        for offset, _, ended, key in mine:
            if any(other < offset and sent > ended for other, sent, _, _ in mine):
                found.add(key)
    return frozenset(found)


def _backwards(consumed: list[Event]) -> int:
    before: dict[tuple[str, Place], int] = {}
    times = 0
    for event in consumed:
        queue = (event.process, (*_place(event)[:3], None))
        times += before.get(queue, -1) >= int(event.offset or 0)
        before[queue] = int(event.offset or 0)
    return times


def _differing(
    stored: dict[str, set[tuple[str, Place]]], complete: dict[tuple[str, Place], bool]
) -> frozenset[str]:
    """Find keys that one fully drained member has at a place and another has not."""
    members: dict[Place, set[str]] = defaultdict(set)
    for (process, queue), whole in complete.items():
        if whole:
            members[queue].add(process)
    found = set()
    for key, places in stored.items():
        by_place: dict[Place, set[str]] = defaultdict(set)
        for process, place in places:
            if process in members[(*place[:3], None)]:
                by_place[place].add(process)
        if any(processes != members[(*place[:3], None)] for place, processes in by_place.items()):
            found.add(key)
    return frozenset(found)

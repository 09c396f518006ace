"""The message checks as one would write them on a first day: dicts and lists of every event. Slow, and obvious.

The tests hold the real checks to this one, and ``checks_speed.py`` measures against it. It shares nothing with
them but the event.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
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
    vanished_places: frozenset[str]
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


def place_of(event: Event) -> Place:
    """Return where an event says that a message is."""
    return (event.topic, event.broker, event.queue, event.offset)


def queue_of(event: Event) -> Place:
    """Return the queue of that, as a place without an offset."""
    return (event.topic, event.broker, event.queue, None)


class Sorted:
    """The events of a history by what they are."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.sends: dict[str, list[Event]] = defaultdict(list)
        self.drained: list[Event] = []
        self.consumed: list[Event] = []
        self.ends: dict[tuple[str, Place], Event] = {}
        self.failed: set[tuple[str, Place]] = set()
        for event in events:
            if event.op == "send":
                self.sends[str(event.key)].append(event)
            elif event.op == "receive":
                self._receive(event)
        self.oks = [event for group in self.sends.values() for event in group if event.type == "ok"]
        self.stored: dict[str, set[tuple[str, Place]]] = defaultdict(set)
        for read in self.drained:
            self.stored[str(read.key)].add((read.process, place_of(read)))
        self.read_at: dict[str, set[Place]] = defaultdict(set)
        for read in self.consumed:
            self.read_at[str(read.key)].add(place_of(read))

    def _receive(self, event: Event) -> None:
        if event.type == "invoke":
            self.ends[event.process, queue_of(event)] = event
        elif event.type != "ok":
            self.failed.add((event.process, queue_of(event)))
        elif event.process.startswith("drain-"):
            self.drained.append(event)
        else:
            self.consumed.append(event)

    def complete(self) -> dict[tuple[str, Place], bool]:
        """Say of each member and queue whether it was drained to the end."""
        reached: dict[tuple[str, Place], int] = defaultdict(int)
        for read in self.drained:
            at = read.process, queue_of(read)
            reached[at] = max(reached[at], int(read.offset or 0) + 1)
        last: dict[Place, float] = defaultdict(float)
        for event in self.oks:
            last[queue_of(event)] = max(last[queue_of(event)], event.t)
        return {
            at: at not in self.failed and reached[at] >= int(event.offset or 0) and last[at[1]] <= event.t
            for at, event in self.ends.items()
        }

    def outcome(self, key: str) -> str:
        """Say how a message's sends ended, taken together."""
        types = [event.type for event in self.sends[key]]
        if "ok" in types:
            return "acknowledged"
        if "info" in types or types.count("invoke") > len(types) - types.count("invoke"):
            return "indeterminate"
        return "refused"

    def excused(self, key: str) -> bool:
        """Tell whether a message may be there as often as it is: a refused attempt is certainly not stored."""
        group = self.sends.get(key, [])
        count = Counter(event.type for event in group)
        outcomes = len(group) - count["invoke"]
        storable = count["ok"] + count["info"] + max(0, count["invoke"] - outcomes)
        inside = any(event.value and int(event.value.get("attempts", "1")) > 1 for event in group)
        return (
            not group
            or inside
            or self.outcome(key) == "indeterminate"
            or max(self.copies(key), self.reads(key)) <= storable
        )

    def reads(self, key: str) -> int:
        """Count the places at which consumers read a message."""
        return len(self.read_at[key])

    def copies(self, key: str) -> int:
        """Count the places of a message, those of one group's members once."""
        by_group: dict[str | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for process, place in self.stored[key]:
            by_group[place[1]][process] += 1
        return sum(max(counts.values()) for counts in by_group.values())


def find(events: Iterable[Event]) -> Findings:
    """Judge every message of a history."""
    history = Sorted(events)
    complete = history.complete()
    whole: dict[Place, list[bool]] = defaultdict(list)
    for (_, queue), reached in complete.items():
        whole[queue].append(reached)

    def decided(queue: Place) -> bool:
        return bool(whole[queue]) and all(whole[queue])

    acknowledged = {key for key in history.sends if history.outcome(key) == "acknowledged"}
    first_ok = {str(event.key): event for event in reversed(history.oks)}
    absent = acknowledged - history.stored.keys()
    lost = {key for key in absent if decided(queue_of(first_ok[key]))}
    elsewhere = history.sends.keys() - acknowledged - history.stored.keys()
    gone = {str(event.key): event for event in history.consumed if str(event.key) in elsewhere}
    vanished = {key for key, event in gone.items() if decided(queue_of(event))}
    read = history.stored.keys() | {str(event.key) for event in history.consumed}
    keys = history.stored.keys() | history.read_at.keys()
    twice = {key for key in keys if max(history.copies(key), history.reads(key)) > 1}
    holders: dict[Place, set[str]] = defaultdict(set)
    for event in (*history.oks, *history.drained, *history.consumed):
        holders[place_of(event)].add(str(event.key))
    places = {key: {place for _, place in stored} for key, stored in history.stored.items()}
    return Findings(
        acknowledged=frozenset(acknowledged),
        lost=frozenset(lost),
        vanished=frozenset(vanished),
        vanished_places=frozenset(
            str(event.key)
            for event in history.consumed
            if str(event.key) in places
            and str(event.key) in history.sends
            and place_of(event) not in places[str(event.key)]
            and decided(queue_of(event))
        ),
        undecided=frozenset((absent - lost) | (gone.keys() - vanished)),
        recovered=frozenset(
            key for key in history.stored if key in history.sends and history.outcome(key) == "indeterminate"
        ),
        excused=frozenset(key for key in twice if history.excused(key)),
        unexcused=frozenset(key for key in twice if not history.excused(key)),
        unsent=frozenset(read - history.sends.keys()),
        refused_but_stored=frozenset(
            key for key in read & history.sends.keys() if history.outcome(key) == "refused"
        ),
        sharing=frozenset(key for keys in holders.values() if len(keys) > 1 for key in keys),
        displaced=frozenset(
            str(event.key)
            for event in history.oks
            if str(event.key) in places and place_of(event) not in places[str(event.key)]
        ),
        overtaken=_overtaken(history.sends, history.stored),
        backwards=_backwards(history.consumed),
        differing=_differing(history.stored, complete),
    )


def _overtaken(sends: dict[str, list[Event]], stored: dict[str, set[tuple[str, Place]]]) -> frozenset[str]:
    """Find messages behind one that was sent, by whomever, after their acknowledgement."""
    queues: dict[Place, list[tuple[int, float, float, str]]] = defaultdict(list)
    for key, group in sends.items():
        answers = [event for event in group if event.type == "ok"]
        places = {place for _, place in stored.get(key, set())}
        if len(answers) > 1 or not places:
            continue
        acknowledged = place_of(answers[0]) if answers else None
        if acknowledged not in places and len(places) > 1:
            continue
        at = acknowledged if acknowledged in places and acknowledged else next(iter(places))
        invoked = min((event.t for event in group if event.type == "invoke"), default=0.0)
        ended = max(event.t for event in group if event.type != "invoke") if answers else math.inf
        queues[(*at[:3], None)].append((int(at[3] or 0), invoked, ended, key))
    keys = set()
    for queue in queues.values():
        latest = before = 0.0
        at_offset = -1
        for offset, sent, ended, key in sorted(queue):
            if offset > at_offset:
                at_offset, before = offset, latest
            if before > ended:
                keys.add(key)
            latest = max(latest, sent)
    return frozenset(keys)


def _backwards(consumed: list[Event]) -> int:
    before: dict[tuple[str, Place], int] = {}
    times = 0
    for event in consumed:
        queue = (event.process, queue_of(event))
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
    keys = set()
    for key, places in stored.items():
        by_place: dict[Place, set[str]] = defaultdict(set)
        for process, place in places:
            if process in members[(*place[:3], None)]:
                by_place[place].add(process)
        if any(processes != members[(*place[:3], None)] for place, processes in by_place.items()):
            keys.add(key)
    return frozenset(keys)

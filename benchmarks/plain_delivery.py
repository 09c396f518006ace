"""The checks ``delivered`` and ``committed`` as one would write them on a first day, from ``docs/verdicts.md``.

Every message is held against every read, and every sample against every read before it. Slow, and obvious; it
shares nothing with the real checks but the event.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.plain_checks import Place, Sorted, place_of, queue_of
from rmqops.model.history import Event


@dataclass(frozen=True)
class Delivery:
    """What ``delivered`` finds: keys, and numbers of reads."""

    skipped: frozenset[str]
    skipped_unknown: frozenset[str]
    unread: frozenset[str]
    again: int
    by_others: int


def _readers(events: Sequence[Event]) -> dict[str, tuple[str | None, bool]]:
    """Return who reads, with the topic, and whether several processes are one."""
    told = next((event.value or {} for event in events if event.op == "run" and event.type == "invoke"), {})
    consumers = json.loads(told.get("consumers", "{}"))
    if not consumers:
        return {"everybody": (None, False)}
    return {group or name: (topic, bool(group)) for name, (topic, group) in consumers.items()}


def _reader_of(process: str, known: dict[str, tuple[str | None, bool]], events: Sequence[Event]) -> str:
    """Return as whom a process reads: its group, its own life, or everybody."""
    if "everybody" in known:
        return "everybody"
    told = next(event.value or {} for event in events if event.op == "run" and event.type == "invoke")
    life = process.partition(".")[0]
    place = "-".join(life.split("-")[:2])
    group = json.loads(told["consumers"])[place][1]
    return group or life


def find_delivery(events: Sequence[Event]) -> Delivery:
    """Hold every message against every read of every reader."""
    history, known = Sorted(events), _readers(events)
    reads: dict[str, list[Event]] = {name: [] for name in known}
    for read in history.consumed:
        reads.setdefault(_reader_of(read.process, known, events), []).append(read)
    nobody = "everybody" in known and not reads["everybody"]
    each = [_of_reader(history, its, *known.get(name, (None, False))) for name, its in reads.items() if not nobody]
    return Delivery(
        skipped=frozenset[str]().union(*(one.skipped for one in each)),
        skipped_unknown=frozenset[str]().union(*(one.skipped_unknown for one in each)),
        unread=frozenset[str]().union(*(one.unread for one in each)),
        again=sum(one.again for one in each),
        by_others=sum(one.by_others for one in each),
    )


def _of_reader(history: Sorted, reads: Sequence[Event], topic: str | None, shares: bool) -> Delivery:
    complete: dict[Place, list[bool]] = defaultdict(list)
    for (_, queue), whole in history.complete().items():
        complete[queue].append(whole)
    keys = {str(read.key) for read in reads}
    highest: dict[Place, int] = {queue: -1 for queue in complete if topic is None or queue[0] == topic}
    for read in reads:
        highest[queue_of(read)] = max(highest.get(queue_of(read), -1), int(read.offset or 0))
    skipped, unread = set[str](), set[str]()
    for key, event in {str(event.key): event for event in reversed(history.oks)}.items():
        queue = queue_of(event)
        lost = key not in history.stored and bool(complete[queue]) and all(complete[queue])
        if queue in highest and key not in keys and not lost:
            (skipped if int(event.offset or 0) <= highest[queue] else unread).add(key)
    unknown = {
        key
        for key, stored in history.stored.items()
        if key in history.sends
        and history.outcome(key) == "indeterminate"
        and key not in keys
        and any(int(place[3] or 0) <= highest.get((*place[:3], None), -1) for _, place in stored)
    }
    again, by_others = _again(reads) if shares else (0, 0)
    return Delivery(frozenset(skipped), frozenset(unknown), frozenset(unread), again, by_others)


def _again(reads: Sequence[Event]) -> tuple[int, int]:
    """Count reads of places that were read before, by the same process and by another one."""
    again = by_others = 0
    seen: set[Place] = set()
    own: set[tuple[str, Place]] = set()
    for read in reads:
        if place_of(read) in seen:
            again += (read.process, place_of(read)) in own
            by_others += (read.process, place_of(read)) not in own
        seen.add(place_of(read))
        own.add((read.process, place_of(read)))
    return again, by_others


@dataclass(frozen=True)
class Commits:
    """What ``committed`` finds."""

    went_back: int
    """By so many messages, at changes of master."""
    unexplained: int
    """Samples."""
    ahead: int
    """Samples that a register had not been as far at before."""


def _hundredth(event: Event) -> int:
    return round(event.t * 1e6) // 10_000


def find_commits(events: Iterable[Event]) -> Commits:
    """Go through the samples one by one, with every NameServer's last answer at hand; no fault explains any."""
    known = list(events)
    routes: dict[str, dict[str, str | None]] = defaultdict(dict)
    registers: dict[tuple[str | None, str | None, str], tuple[str | None, int]] = {}
    furthest: dict[tuple[str | None, str | None, str], int] = defaultdict(int)
    went_back = unexplained = ahead = 0
    for event in known:
        if event.op == "route":
            routes[str(event.broker)][event.process] = (event.value or {}).get("0")
        if event.op != "committed" or event.type != "ok":
            continue
        masters = {master for master in routes[str(event.broker)].values() if master is not None}
        if masters != {event.address}:
            continue
        for queue, text in (event.value or {}).items():
            key, offset = (event.key, event.broker, queue), int(text)
            before = registers.get(key)
            if before is not None and offset < before[1]:
                went_back += before[1] - offset if before[0] != event.address else 0
                unexplained += before[0] == event.address
            registers[key] = (event.address, offset)
            if offset > furthest[key]:
                furthest[key] = offset
                read = [
                    int(other.offset or 0)
                    for other in known
                    if (other.op, other.type, other.broker, str(other.queue))
                    == ("receive", "ok", event.broker, queue)
                    and other.process.startswith("consumer-")
                    and _hundredth(other) <= _hundredth(event)
                ]
                ahead += offset > max(read, default=-1) + 1
    return Commits(went_back, unexplained, ahead)

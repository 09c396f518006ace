"""The master of each group over time, as each NameServer told it. PURE."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.format import MASTER
from rmqops.model.history import Event

SILENCE = 3.0
"""Seconds without a line after which a NameServer's last answer is no longer taken as true; it is sampled every
20 ms and written at least once a second."""

MAJORITIES = frozenset({"majority", "all"})
"""Targets without which a group has no master, whoever that was."""


@dataclass(frozen=True, slots=True)
class Span:
    """One NameServer's answer about one group from ``start`` to ``end``; ``master`` is None when it named none."""

    server: str
    broker: str
    master: str | None
    start: float
    end: float


def spans(events: Iterable[Event]) -> list[Span]:
    """Return each answer for as long as it stood, in order of ``start``; a failing NameServer answers nothing."""
    current: dict[tuple[str, str], Span] = {}
    done: list[Span] = []
    for event in events:
        if event.op != "route":
            continue
        if event.type != "ok" or event.broker is None:
            for key in [key for key in current if key[0] == event.process]:
                done.append(_until(current.pop(key), event.t))
            continue
        key = (event.process, event.broker)
        master = (event.value or {}).get(MASTER)
        last = current.get(key)
        if last is not None and last.master == master and event.t - last.end <= SILENCE:
            current[key] = _until(last, event.t)
            continue
        if last is not None:
            done.append(_until(last, event.t))
        current[key] = Span(event.process, event.broker, master, event.t, event.t)
    return sorted([*done, *current.values()], key=lambda span: (span.start, span.server))


@dataclass(frozen=True, slots=True)
class Election:
    """A time in which a group may be without a master that all agree on, because a fault took it."""

    broker: str
    start: float
    end: float
    """When the first NameServer named a master again; else when the cluster was said to have recovered."""


def group_sizes(events: Iterable[Event]) -> dict[str, int]:
    """Return how many members each group has: as many addresses as its route ever showed."""
    addresses: dict[str, set[str]] = {}
    for event in events:
        if event.op == "route" and event.broker and event.value:
            addresses.setdefault(event.broker, set()).update(event.value.values())
    return {broker: len(known) for broker, known in addresses.items()}


def takes_majority(fault: FaultRecord, injected: Iterable[FaultRecord], size: int) -> bool:
    """Tell whether a fault, with those of its phase, took so many members of its group that none can be elected.

    Whether the drill said so by a word or by names is the same.
    """
    members = {other.instance for other in injected if (other.phase, other.group) == (fault.phase, fault.group)}
    return fault.target in MAJORITIES or (size > 1 and 2 * len(members) > size)


def elections(
    answers: Iterable[Span],
    injected: Sequence[FaultRecord],
    sizes: Mapping[str, int],
    recovered: Sequence[float] = (),
) -> list[Election]:
    """Return the elections that a fault explains, each of the group that was struck and of no other.

    A fault explains the loss of a master when it struck that master, as some NameServer named it, or a majority
    of the group. What is lost after the heal is lost to something else. An election is over when *one* NameServer
    names a master again: how long the others take is theirs to answer for.

    Args:
        answers: What the NameServers answered.
        injected: The faults.
        sizes: How many members each group has.
        recovered: When the cluster was said to be healthy again, seconds.
    """
    spans_of: dict[tuple[str, str], list[Span]] = {}
    for span in answers:
        spans_of.setdefault((span.broker, span.server), []).append(span)
    windows = []
    for fault in injected:
        if fault.injected_at is None or fault.group is None:
            continue
        healed = fault.healed_at if fault.healed_at is not None else math.inf
        majority = takes_majority(fault, injected, sizes.get(fault.group, 0))
        lost, named = False, math.inf
        for (broker, _), spans_there in spans_of.items():
            later = [span for span in spans_there if span.end > fault.injected_at]
            if broker != fault.group or len(later) < 2 or later[1].start >= healed:
                continue
            lost = lost or majority or later[0].master == fault.address
            named = min([named, *(span.start for span in later[1:] if span.master is not None)])
        if lost:
            well = min((t for t in recovered if t > healed), default=math.inf)
            windows.append(Election(fault.group, fault.injected_at, min(named, well)))
    return windows


def unexcused(broker: str, start: float, end: float, windows: Iterable[Election]) -> float:
    """Return how long, at a stretch, a time of a group lies outside its elections, in seconds."""
    longest, at = 0.0, start
    for window in sorted((window for window in windows if window.broker == broker), key=lambda each: each.start):
        longest = max(longest, min(window.start, end) - at)
        at = max(at, window.end)
    return max(longest, end - at)


def unsampled(events: Iterable[Event], begin: float, end: float) -> dict[str, float]:
    """Return for each NameServer the longest time from ``begin`` to ``end`` without a line about it, seconds."""
    times: dict[str, list[float]] = {}
    for event in events:
        if event.op == "route":
            times.setdefault(event.process, []).append(event.t)
    return {
        server: max(
            (max(0.0, min(after, end) - max(before, begin)) for before, after in pairwise([begin, *known, end])),
            default=0.0,
        )
        for server, known in times.items()
    }


def unanswered(events: Iterable[Event], injected: Iterable[FaultRecord], heartbeat: float) -> dict[str, float]:
    """Return for each NameServer the longest time in which it did not answer and no fault of it explains that.

    One that was struck may be away until its heal, and ``heartbeat`` seconds longer.
    """
    away = [
        (fault.instance, fault.injected_at, math.inf if fault.healed_at is None else fault.healed_at + heartbeat)
        for fault in injected
        if fault.injected_at is not None
    ]
    silent: dict[str, float] = {}
    longest: dict[str, float] = {}
    for event in events:
        if event.op != "route":
            continue
        explained = any(event.process == name and begin <= event.t <= end for name, begin, end in away)
        if event.type == "ok" or explained:
            silent.pop(event.process, None)
            continue
        since = silent.setdefault(event.process, event.t)
        longest[event.process] = max(longest.get(event.process, 0.0), event.t - since)
    return longest


def ignorant(answers: Iterable[Span], injected: Iterable[FaultRecord], heartbeat: float) -> list[Span]:
    """Return the answers without a master of NameServers that were struck and may have heard of none yet.

    A NameServer keeps the route in memory alone, and one that was started again learns it from heartbeats. It may
    have been struck more than once.
    """
    times = [
        (fault.instance, fault.injected_at, math.inf if fault.healed_at is None else fault.healed_at + heartbeat)
        for fault in injected
        if fault.injected_at is not None
    ]
    return [
        span
        for span in answers
        if span.master is None
        and any(span.server == name and begin <= span.start <= span.end <= end for name, begin, end in times)
    ]


def _until(span: Span, t: float) -> Span:
    end = t if t - span.end <= SILENCE else span.end
    return Span(span.server, span.broker, span.master, span.start, end)


def disagreements(answers: Iterable[Span]) -> Iterator[tuple[str, float, float]]:
    """Yield group, start and end of each time in which NameServers named different masters, none included."""
    by_group: dict[str, list[Span]] = {}
    for span in answers:
        by_group.setdefault(span.broker, []).append(span)
    for broker, group in by_group.items():
        edges = sorted({span.start for span in group} | {span.end for span in group})
        since: float | None = None
        for start, end in pairwise(edges):
            masters = {span.master for span in group if span.start <= start and span.end >= end}
            if len(masters) > 1 and since is None:
                since = start
            elif len(masters) <= 1 and since is not None:
                yield broker, since, start
                since = None
        if since is not None:
            yield broker, since, edges[-1]

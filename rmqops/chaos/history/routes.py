"""The master of each group over time, as each NameServer told it. PURE."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
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


def elections(answers: Iterable[Span], injected: Iterable[FaultRecord]) -> list[tuple[str, float, float]]:
    """Return group, start and end of each election that a fault explains.

    A fault explains the loss of a master when it struck that master, or a majority. The election runs from the
    fault until the NameServer has named a master again. What is lost after the heal is lost to something else.
    """
    spans_of: dict[tuple[str, str], list[Span]] = {}
    for span in answers:
        spans_of.setdefault((span.broker, span.server), []).append(span)
    windows = []
    for fault in injected:
        if fault.injected_at is None:
            continue
        for (broker, _), server_spans in spans_of.items():
            later = [span for span in server_spans if span.end > fault.injected_at]
            if not later or not (later[0].master == fault.address or fault.target in MAJORITIES):
                continue
            changed = later[1:]
            healed = fault.healed_at if fault.healed_at is not None else math.inf
            if not changed or changed[0].start >= healed:
                continue
            named = [span.start for span in changed if span.master is not None]
            windows.append((broker, fault.injected_at, named[0] if named else math.inf))
    return windows


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

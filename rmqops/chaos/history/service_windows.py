"""When sends worked and when they did not: from the outcomes of a history to the first sustained success. PURE.

Outcomes are grouped in bins of 100 ms with their earliest and latest time, so that an hour at any rate is some
36,000 rows; nothing that is asked here needs more, because each window asked about is much longer than a bin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rmqops.chaos.history.reader import History, Row

GAP = 1.0
"""Seconds without an acknowledgement that count as an interruption, though nothing failed: hung sends are none."""

BINS = "select * exclude tenth from bin order by tenth"
NEXT_OK = """
    select min(ended) / 1e6 from message
    where acks > 0 and ended > $1::double * 1e6 and invoked >= $2::double * 1e6
"""


@dataclass(frozen=True, slots=True)
class Bin:
    """The outcomes of a tenth of a second; times are None where there was no such outcome."""

    first_ok: float | None
    last_ok: float | None
    first_bad: float | None
    last_bad: float | None
    ok: int
    fail: int
    info: int


@dataclass(frozen=True, slots=True)
class Break:
    """A time in which service was broken: a send went wrong, or nothing was acknowledged for ``GAP``."""

    start: float
    end: float
    bad: int


def bins(history: History) -> list[Bin]:
    """Group the outcomes."""
    return [_bin(row) for row in history.query(BINS)]


def _bin(row: Row) -> Bin:
    return Bin(*row)  # type: ignore[arg-type]


def breaks(outcomes: Sequence[Bin]) -> list[Break]:
    """Return the times in which service was broken, in order; those in neighboring bins stand for themselves."""
    broken = [
        Break(each.first_bad, each.last_bad, each.fail + each.info)
        for each in outcomes
        if each.first_bad is not None and each.last_bad is not None
    ]
    last: float | None = None
    for each in outcomes:
        if each.first_ok is None or each.last_ok is None:
            continue
        if last is not None and each.first_ok - last > GAP:
            broken.append(Break(last + GAP, each.first_ok - 1e-6, 0))
        last = each.last_ok
    return sorted(broken, key=lambda item: (item.start, item.end))


def windows(broken: Sequence[Break]) -> list[Break]:
    """Join breaks that are less than ``GAP`` apart: the error windows that a person would name."""
    joined: list[Break] = []
    for item in broken:
        if joined and item.start - joined[-1].end < GAP:
            last = joined[-1]
            joined[-1] = Break(last.start, max(last.end, item.end), last.bad + item.bad)
        else:
            joined.append(item)
    return joined


@dataclass(frozen=True, slots=True)
class Sustained:
    """The first sustained success after a fault; ``at`` is None when there was none.

    ``cut_short`` says that all was well at the end, but for less than the window: the workload ended too early.
    """

    at: float | None
    cut_short: bool = False


def first_sustained(history: History, outcomes: Sequence[Bin], fault: float, window: float) -> Sustained:
    """Find the first acknowledged send, sent after the fault, after which nothing broke for the window."""
    last_ok = max((each.last_ok for each in outcomes if each.last_ok is not None), default=None)
    broken = [item for item in breaks(outcomes) if item.end >= fault]
    end = max([fault, *(item.end for item in broken)])
    latest = fault
    for number, whole_until in enumerate([fault, *(item.end for item in broken)]):
        latest = max(latest, whole_until)
        following = broken[number].start if number < len(broken) else math.inf
        if following - latest <= window:
            continue
        at = next_ok(history, latest, fault)
        if at is not None and at + window < following and last_ok is not None and last_ok >= at + window:
            return Sustained(at)
    return Sustained(None, cut_short=next_ok(history, end, fault) is not None)


def next_ok(history: History, after: float, sent_after: float) -> float | None:
    """Return when the first acknowledgement came after a time, of a send sent after another."""
    value = history.query(NEXT_OK, [after, sent_after])[0][0]
    return float(str(value)) if value is not None else None

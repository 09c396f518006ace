"""When sends worked and when they did not: from the outcomes of a history to the first sustained success. PURE.

Outcomes are grouped in bins of 100 ms with their earliest and latest time, so that an hour at any rate is some
36,000 rows; nothing that is asked here needs more, because each window asked about is much longer than a bin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rmqops.chaos.history.fault_records import faults
from rmqops.chaos.history.reader import History, Row

GAP = 1.0
"""Seconds without an acknowledgement that count as an interruption, though nothing failed: hung sends are none."""

BINS = "select * exclude tenth from bin order by tenth"
NEXT_OK = """
    select min(ended) / 1e6 from message
    where acks > 0 and ended > $1::double * 1e6 and invoked >= $2::double * 1e6
        and ($3::varchar is null or q in (select q from owner where broker = $3))
"""
GROUP_BINS = """
    select first_ok, last_ok, null, null, ok, 0, 0 from group_bin where broker = $1::varchar order by tenth
"""
FLIGHT = "select tenth, begun, done from flight order by tenth"
# Of processes that the drill killed: as if they had ended when they began.
UNFINISHED = """
    select invoked // 100000, count(*) from message
    where outcomes < attempts and p in (select (hash(unnest($1::varchar[])) >> 32)::uinteger) group by all
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


def group_bins(history: History, broker: str) -> list[Bin]:
    """Group the acknowledgements by the brokers of one group; what went wrong belongs to no group."""
    return [_bin(row) for row in history.query(GROUP_BINS, [broker])]


def _bin(row: Row) -> Bin:
    return Bin(*row)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Idle:
    """A time in which no send was under way and none began: it says nothing of the cluster."""

    start: float
    end: float


def idle(history: History) -> list[Idle]:
    """Return the times of more than ``GAP`` in which the load did nothing between its first and its last send.

    A send without an outcome is under way for ever, unless its process was killed.
    """
    killed = {fault.instance: fault.injected_at for fault in faults(history.of("fault")) if fault.group is None}
    rows = history.query(UNFINISHED, [[name for name in killed if name]])
    lost = {int(str(tenth)): int(str(number)) for tenth, number in rows}
    times: list[Idle] = []
    under_way, since = 0, None
    for tenth, begun, done in history.query(FLIGHT):
        at = int(str(tenth))
        if since is not None and begun and at / 10 - since > GAP:
            times.append(Idle(since, at / 10))
        under_way += int(str(begun)) - int(str(done)) - lost.get(at, 0)
        since = (at + 1) / 10 if under_way <= 0 else None
    return times


def breaks(outcomes: Sequence[Bin], idle_times: Sequence[Idle] = (), gap: float = GAP) -> list[Break]:
    """Return the times in which service was broken, in order; those in neighboring bins stand for themselves.

    Args:
        outcomes: Those of the sends.
        idle_times: When the load did nothing, which breaks nothing.
        gap: Seconds without an acknowledgement that count as an interruption.
    """
    broken = [
        Break(each.first_bad, each.last_bad, each.fail + each.info)
        for each in outcomes
        if each.first_bad is not None and each.last_bad is not None
    ]
    last: float | None = None
    for each in outcomes:
        if each.first_ok is None or each.last_ok is None:
            continue
        if last is not None and each.first_ok - last - _within(idle_times, last, each.first_ok) > gap:
            broken.append(Break(last + gap, each.first_ok - 1e-6, 0))
        last = each.last_ok
    return sorted(broken, key=lambda item: (item.start, item.end))


def _within(idle_times: Sequence[Idle], begin: float, end: float) -> float:
    """Return how many seconds of a time the load did nothing."""
    return sum(max(0.0, min(each.end, end) - max(each.start, begin)) for each in idle_times)


def usual_gap(outcomes: Sequence[Bin], before: float) -> float | None:
    """Return the seconds without an acknowledgement that count as an interruption for a group, from a quiet time.

    A group gets its share of the load alone, so that where little is sent its acknowledgements are far between.
    Three times the longest time between two of them before the first fault is no accident; None when there were
    none.
    """
    times = [t for each in outcomes for t in (each.first_ok, each.last_ok) if t is not None and t < before]
    if len(times) < 3:
        return None
    return max(GAP, 3 * max(after - earlier for earlier, after in pairwise(times)))


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

    ``until`` is when it had lasted for the window: later than ``at`` plus the window where the load stood still.
    ``cut_short`` says that all was well at the end, but for less than the window: the workload ended too early.
    """

    at: float | None
    until: float | None = None
    cut_short: bool = False


def first_sustained(
    history: History,
    outcomes: Sequence[Bin],
    fault: float,
    window: float,
    *,
    idle_times: Sequence[Idle] = (),
    broker: str | None = None,
    gap: float = GAP,
) -> Sustained:
    """Find the first acknowledged send, sent after the fault, after which nothing broke for the window.

    Args:
        history: Where the sends are.
        outcomes: Of the sends: all, or the acknowledgements of ``broker``.
        fault: When the fault was given, seconds.
        window: How long it must last, seconds in which the load did something.
        idle_times: When the load did nothing.
        broker: The group that must have acknowledged it; any when None.
        gap: Seconds without an acknowledgement that break it.
    """
    last_ok = max((each.last_ok for each in outcomes if each.last_ok is not None), default=None)
    broken = [item for item in breaks(outcomes, idle_times, gap) if item.end >= fault]
    end = max([fault, *(item.end for item in broken)])
    latest = fault
    for number, whole_until in enumerate([fault, *(item.end for item in broken)]):
        latest = max(latest, whole_until)
        following = broken[number].start if number < len(broken) else math.inf
        if following - latest <= window:
            continue
        at = next_ok(history, latest, fault, broker)
        if at is None:
            continue
        until = _worked(idle_times, at, window)
        if until < following and last_ok is not None and last_ok >= until:
            return Sustained(at, until)
    return Sustained(None, cut_short=next_ok(history, end, fault, broker) is not None)


def _worked(idle_times: Sequence[Idle], begin: float, seconds: float) -> float:
    """Return when the load has done something for so many seconds from a time on."""
    end = begin + seconds
    for each in idle_times:
        if each.end > begin and each.start < end:
            end += each.end - max(each.start, begin)
    return end


def next_ok(history: History, after: float, sent_after: float, broker: str | None = None) -> float | None:
    """Return when the first acknowledgement came after a time, of a send sent after another."""
    value = history.query(NEXT_OK, [after, sent_after, broker])[0][0]
    return float(str(value)) if value is not None else None

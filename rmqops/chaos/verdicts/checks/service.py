"""What each phase expects of the service while its faults are in force: that it goes on, or that it stands still.

A cluster that survives serves again *before* anybody mends it: the first sustained success must come, and last,
between the fault and the heal: for the whole, as its users see it, and for each group that was struck, because
another one may take its sends. A phase that takes a group's majority expects the opposite: from
``bounds.standstill`` seconds after the last fault until the first heal, nothing may be acknowledged by that
group, whenever it was sent, because nobody could have agreed to it; where NameServers are struck, by no group. A
phase that expects ``reads`` expects four things: the other groups serve again, no send to the struck group is
acknowledged, its messages are read from a slave, and that slave refuses one offered to it. A phase that allows
``anything`` is not judged here.

A drill that was ended before it waited for recovery has not given service the time to come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rmqops.chaos.history.fault_records import FaultRecord, faults
from rmqops.chaos.history.format import RECOVERED, reader_prefix, writer_prefix
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.routes import group_sizes
from rmqops.chaos.history.service_windows import (
    GAP,
    Bin,
    Idle,
    bins,
    first_sustained,
    group_bins,
    idle,
    usual_gap,
)
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Number, Verdict

Faults = Sequence[FaultRecord]

MOST = 3
"""So many phases are told in the summary."""

LAST_SENT = "select max(greatest(invoked, ended)) / 1e6 from message"
UNDER_WAY = """
    select count(*) from message
    where invoked < $2::double * 1e6 and greatest(invoked, ended) >= $1::double * 1e6
"""
SENT = "select count(*) from message where invoked >= $1::double * 1e6 and invoked < $2::double * 1e6"
READ = """
    select count(*) from raw
    where op = 'receive' and type = 'ok' and starts_with(process, $1::varchar)
"""
SERVED = """
    select k from message
    where acks > 0 and ended >= $1::double * 1e6 and ended < $2::double * 1e6
        and (len($3::varchar[]) = 0 or q not in (select q from drain where not list_contains($3, broker)))
    order by invoked, k
"""


@dataclass(frozen=True)
class _Sends:
    """What the sends of the whole drill tell; each of its phases is judged by it."""

    outcomes: Sequence[Bin]
    idle_times: Sequence[Idle]
    first_fault: float


@dataclass(frozen=True)
class _Phase:
    """What one phase has shown."""

    verdict: Verdict
    text: str
    again_ms: float | None = None
    """From the last fault to the first sustained success."""
    served: int | None = None
    """How many messages were acknowledged though nobody could agree to them."""
    evidence: tuple[Evidence, ...] = ()


def check(history: History, bounds: Bounds) -> CheckResult:
    """Judge the time in which the faults of each phase were in force."""
    injected = [fault for fault in faults(history.of("fault", "heal")) if fault.injected_at is not None]
    by_phase: dict[int, list[FaultRecord]] = {}
    for fault in injected:
        by_phase.setdefault(fault.phase, []).append(fault)
    first_fault = min((fault.injected_at or 0 for fault in injected), default=0)
    sends = _Sends(bins(history), idle(history), first_fault)
    judged = [_judge(history, bounds, sends, phase) for phase in by_phase.values()]
    verdict, deciding = _worst(judged)
    text = (
        "; ".join(dict.fromkeys(phase.text for phase in deciding[:MOST])) or "no fault was in force and taken away"
    )
    if len(judged) > 1:
        text = f"{len(deciding)} of {len(judged)} phases: {text}"
    again = [phase.again_ms for phase in judged if phase.again_ms is not None]
    served = [phase.served for phase in judged if phase.served is not None]
    numbers: dict[str, Number] = {
        "phases": len(judged),
        "served_again_longest_ms": max(again, default=None),
        "served_without_majority": sum(served) if served else None,
    }
    evidence = tuple(item for phase in judged for item in phase.evidence)[:EVIDENCE_LIMIT]
    return CheckResult("service", verdict if judged else Verdict.INCONCLUSIVE, text, numbers, evidence)


def _worst(judged: Sequence[_Phase]) -> tuple[Verdict, list[_Phase]]:
    """Return the verdict over all, and those that it is of."""
    verdicts = {phase.verdict for phase in judged}
    verdict = next((word for word in (Verdict.FAIL, Verdict.INCONCLUSIVE) if word in verdicts), Verdict.PASS)
    return verdict, [phase for phase in judged if phase.verdict is verdict]


def _judge(history: History, bounds: Bounds, sends: _Sends, struck: Faults) -> _Phase:
    ends = [fault.heal_started_at for fault in struck if fault.heal_started_at is not None]
    if not ends:
        return _Phase(Verdict.INCONCLUSIVE, "no fault was in force and taken away")
    begin, end = max(fault.verified_at or fault.injected_at or 0 for fault in struck), min(ends)
    if struck[0].expects == "standstill":
        return _stands_still(history, bounds, struck, begin, end)
    if struck[0].expects == "anything":
        return _Phase(Verdict.PASS, "either was allowed")
    if struck[0].expects == "reads":
        return _is_read(history, bounds, sends, struck, begin, end)
    return _goes_on(history, bounds, sends, struck, begin, end, _groups(history, struck))


def _groups(history: History, struck: Faults) -> list[str]:
    """Return the groups that were struck, where there is more than one that a load could go to."""
    if len(group_sizes(history.of("route"))) < 2:
        return []
    return sorted({fault.group for fault in struck if fault.group})


def _is_read(history: History, bounds: Bounds, sends: _Sends, struck: Faults, begin: float, end: float) -> _Phase:
    goes_on = _goes_on(history, bounds, sends, struck, begin, end, ())
    stands_still = _stands_still(history, bounds, struck, begin, end)
    read = history.number(READ, [reader_prefix(struck[0].phase)])
    text = f"{count(read, 'message')} read from a slave while the master was dead"
    reads = _Phase(Verdict.PASS if read else Verdict.FAIL, text)
    parts = (goes_on, stands_still, reads, *_refuses(history, struck[0].phase))
    verdict, deciding = _worst(parts)
    return _Phase(
        verdict,
        "; ".join(part.text for part in deciding),
        goes_on.again_ms,
        stands_still.served,
        tuple(item for part in parts for item in part.evidence),
    )


def _refuses(history: History, phase: int) -> Iterator[_Phase]:
    """Judge what living members said to messages that were offered to them while their master was dead."""
    offered = [event for event in history.of("probe") if event.process.startswith(writer_prefix(phase))]
    stored = [event for event in offered if event.type == "ok"]
    unknown = [event for event in offered if event.type == "info"]
    if stored:
        evidence = tuple(
            Evidence("a slave took it", key=event.key, process=event.process, t=event.t, broker=event.broker,
                     address=event.address)
            for event in stored
        )  # fmt: skip
        yield _Phase(Verdict.FAIL, f"slaves took {count(len(stored), 'message')}", evidence=evidence)
    elif unknown:
        yield _Phase(Verdict.INCONCLUSIVE, f"what a slave said to a message is not known: {unknown[0].error}")
    elif offered:
        yield _Phase(Verdict.PASS, f"slaves refused {count(len(offered), 'message')}")


def _goes_on(
    history: History,
    bounds: Bounds,
    sends: _Sends,
    struck: Faults,
    begin: float,
    end: float,
    groups: Sequence[str],
) -> _Phase:
    """Judge that sends worked again: for the whole as its users see it, and for each group that was struck."""
    parts = [_works_again(history, bounds, struck, (begin, end), sends.outcomes, sends.idle_times, None, GAP)]
    for group in groups:
        acknowledged = group_bins(history, group)
        gap = usual_gap(acknowledged, sends.first_fault)
        if gap is None:
            text = f"nothing was acknowledged by {group} before the fault, so what it lost is not known"
            parts.append(_Phase(Verdict.INCONCLUSIVE, text))
        else:
            parts.append(
                _works_again(history, bounds, struck, (begin, end), acknowledged, sends.idle_times, group, gap)
            )
    verdict, deciding = _worst(parts)
    again = [part.again_ms for part in parts if part.again_ms is not None]
    slowest = max(again) if len(again) == len(parts) else None
    if verdict is Verdict.PASS:
        return _Phase(verdict, f"served again {slowest or 0:,.0f} ms after the fault, unmended", slowest)
    text = "; ".join(part.text for part in deciding)
    return _Phase(verdict, text, slowest, evidence=tuple(item for part in deciding for item in part.evidence))


def _works_again(
    history: History,
    bounds: Bounds,
    struck: Faults,
    in_force: tuple[float, float],
    outcomes: Sequence[Bin],
    idle_times: Sequence[Idle],
    group: str | None,
    gap: float,
) -> _Phase:
    begin, end = in_force
    who = f"{group} " if group else ""
    injected = max(fault.injected_at or 0 for fault in struck)
    served = first_sustained(
        history, outcomes, injected, bounds.sustained, idle_times=idle_times, broker=group, gap=gap
    )
    took = None if served.at is None else round((served.at - injected) * 1000, 3)
    if served.until is not None and served.until <= end:
        return _Phase(Verdict.PASS, f"{who}served again", took)
    waited = any(event.key == RECOVERED and event.t > end for event in history.of("heal"))
    if end - injected <= bounds.sustained or not waited:
        text = "the fault was taken away before service could come back"
        return _Phase(Verdict.INCONCLUSIVE, f"{group}: {text}" if group else text, took)
    unseen = _unseen(history, idle_times, injected, end)
    if unseen:
        return _Phase(Verdict.INCONCLUSIVE, unseen, took)
    if served.at is not None and served.at < end:
        text = f"{who}served again only {end - served.at:.1f} s before the fault was taken away, too short to last"
        return _Phase(Verdict.INCONCLUSIVE, text, took)
    text = f"{who}did not serve in the {end - begin:.1f} s in which the fault was in force"
    return _Phase(Verdict.FAIL, text, took, evidence=(Evidence(text, t=begin, ended=end, broker=group),))


def _unseen(history: History, idle_times: Sequence[Idle], begin: float, end: float) -> str | None:
    """Say why the load does not tell whether the cluster served while a fault was in force, or None."""
    last = history.query(LAST_SENT)[0][0]
    last_sent = -1.0 if last is None else float(str(last))
    if not history.number(SENT, [begin, end]):
        return "nothing was sent while the fault was in force"
    if last_sent < end - GAP:
        return f"the load ended {end - last_sent:.1f} s before the fault was taken away"
    still = sum(max(0.0, min(each.end, end) - max(each.start, begin)) for each in idle_times)
    return f"the load stood still for {still:.1f} s while the fault was in force" if still else None


def _stands_still(history: History, bounds: Bounds, struck: Faults, begin: float, end: float) -> _Phase:
    start = begin + bounds.standstill
    if not history.number(UNDER_WAY, [start, end]):
        text = f"nothing was sent from {bounds.standstill:g} s after the fault on"
        return _Phase(Verdict.INCONCLUSIVE, text)
    groups = sorted({fault.group for fault in struck if fault.group})
    served = [row[0] for row in history.query(SERVED, [start, end, groups])]
    if served:
        evidence = message_evidence(
            history, "acknowledged while nobody could agree to it", map(int, map(str, served))
        )
        text = f"{count(len(served), 'message')} acknowledged without a majority"
        return _Phase(Verdict.FAIL, text, served=len(served), evidence=evidence)
    return _Phase(Verdict.PASS, f"nothing was acknowledged for {end - start:.1f} s, as expected", served=0)

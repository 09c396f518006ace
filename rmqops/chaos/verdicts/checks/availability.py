"""How long sends did not work: the RTO of each fault, to the first *sustained* success, and what it is made of.

The clock starts when the fault is given (its ``invoke``). The first sustained success is the acknowledgement
of the first send, sent after that, from which on, for ``bounds.sustained`` seconds, no send is refused or
indeterminate and no second passes without an acknowledgement. A single success between failures is therefore
none. The parts, all from the same start: each NameServer's route loses the struck master (``route_lost``),
names a master again (``new_master``), the first acknowledgement of a send sent after the fault was verified
(``first_acknowledged``), and ``sustained``.

These are the client's figures with the workload's own settings; the broker's part ends with ``new_master``.
Fails when service never came back, or took longer than ``bounds.rto_limit`` if that is set. A drill that was
ended before it waited for recovery gave service no chance to come back, so that is inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rmqops.chaos.history.fault_records import FaultRecord, faults
from rmqops.chaos.history.format import NEMESIS, RECOVERED
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.routes import Span, group_sizes, spans
from rmqops.chaos.history.service_windows import (
    GAP,
    Bin,
    Idle,
    Sustained,
    bins,
    breaks,
    first_sustained,
    group_bins,
    idle,
    next_ok,
    usual_gap,
    windows,
)
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Number, Verdict

SAMPLE = 100_000
"""So many messages at least give the quantiles of latency."""
FAR = float(1 << 40)
"""Seconds; later than any drill."""

_QUANTILES = """
    select case when invoked < $1::double * 1e6 then 'before' when invoked < $2::double * 1e6 then 'during'
            else 'after' end as phase,
        quantile_cont(took, 0.5), quantile_cont(took, 0.99), max(took)
"""
ACKNOWLEDGED_AFTER = f"""
    {_QUANTILES} from (
        select invoked, (ended - invoked) / 1e3 as took from message
        where acks > 0 and attempts = 1 and k % $3::ubigint = 0
    ) group by phase
"""  # noqa: S608 - constants of this module
READ_AFTER = f"""
    {_QUANTILES} from (
        select m.invoked, (min(c.t) - m.invoked) / 1e3 as took
        from (select k, invoked from message where k % $3::ubigint = 0) m join consumed c on m.k = c.k
        group by m.k, m.invoked
    ) group by phase
"""  # noqa: S608 - constants of this module


def check(history: History, bounds: Bounds) -> CheckResult:
    """Measure every fault, and judge the worst."""
    injected = [fault for fault in faults(history.of("fault", "heal")) if fault.injected_at is not None]
    outcomes, idle_times = bins(history), idle(history)
    numbers: dict[str, Number] = {"rto_ms": None, **_phases(outcomes, injected), **_latencies(history, injected)}
    reason = _blind(history, outcomes, injected)
    if reason:
        return CheckResult("availability", Verdict.INCONCLUSIVE, reason, numbers)
    answers = spans(history.of("route"))
    sustained = _sustained(history, outcomes, idle_times, injected, bounds)
    rtos = [_after(fault, success.at) for fault, success in zip(injected, sustained, strict=True)]
    worst = _worst(injected, rtos)
    numbers |= _parts(history, injected[worst], sustained[worst], answers)
    numbers["rto_ms"] = rtos[worst]
    errors = windows(breaks(outcomes, idle_times))
    numbers["error_windows"] = len(errors)
    evidence = (
        *(
            Evidence(
                f"{fault.kind} of {fault.instance or fault.target}: "
                + ("no sustained success" if rto is None else f"sustained success after {rto:.0f} ms"),
                process=NEMESIS,
                t=fault.injected_at,
                ended=success.at,
                address=fault.address,
            )
            for fault, success, rto in zip(injected, sustained, rtos, strict=True)
        ),
        *(
            Evidence(
                f"service broken for {window.end - window.start:.3f} s: {window.bad:,} sends went wrong",
                t=window.start,
                ended=window.end,
            )
            for window in errors
        ),
    )[:EVIDENCE_LIMIT]
    waited = any(event.key == RECOVERED and event.type != "invoke" for event in history.of("heal"))
    verdict, text = _judge(rtos[worst], sustained[worst], bounds, waited=waited)
    return CheckResult("availability", verdict, text, numbers, evidence)


def _sustained(
    history: History,
    outcomes: Sequence[Bin],
    idle_times: Sequence[Idle],
    injected: Sequence[FaultRecord],
    bounds: Bounds,
) -> list[Sustained]:
    """Return for each fault the first sustained success: of the whole, or of the struck group where it is later.

    Where there is one group, the two are one.
    """
    several = len(group_sizes(history.of("route"))) > 1
    first = min(fault.injected_at or 0 for fault in injected)
    results = []
    for fault in injected:
        at = fault.injected_at or 0
        whole = first_sustained(history, outcomes, at, bounds.sustained, idle_times=idle_times)
        acknowledged = group_bins(history, fault.group) if several and fault.group else []
        gap = usual_gap(acknowledged, first)
        if gap is None or whole.at is None:
            results.append(whole)
            continue
        group = first_sustained(
            history, acknowledged, at, bounds.sustained, idle_times=idle_times, broker=fault.group, gap=gap
        )
        results.append(group if group.at is None or group.at > whole.at else whole)
    return results


def _worst(injected: Sequence[FaultRecord], rtos: Sequence[float | None]) -> int:
    """Return whose RTO stands for all: the longest; a standstill that was expected is none of the cluster's."""
    served = [number for number, fault in enumerate(injected) if fault.expects == "service"] or range(
        len(injected)
    )
    known = {number: rto for number, rto in enumerate(rtos) if rto is not None and number in served}
    return rtos.index(None) if None in rtos else max(known, key=lambda number: known[number])


def _judge(rto: float | None, sustained: Sustained, bounds: Bounds, *, waited: bool) -> tuple[Verdict, str]:
    if rto is None and sustained.cut_short:
        text = f"sends worked again, but the workload ended before {bounds.sustained:g} s had shown it"
        return Verdict.INCONCLUSIVE, text
    if rto is None and not waited:
        return Verdict.INCONCLUSIVE, "the drill was ended before sends could work again"
    if rto is None:
        return Verdict.FAIL, f"sends never worked again for {bounds.sustained:g} s after a fault"
    text = f"first sustained success {rto:,.0f} ms after the fault"
    if bounds.rto_limit and rto > bounds.rto_limit * 1000:
        return Verdict.FAIL, f"{text}, beyond the limit of {bounds.rto_limit:g} s"
    return Verdict.PASS, text


def _blind(history: History, outcomes: Sequence[Bin], injected: Sequence[FaultRecord]) -> str | None:
    """Say why nothing can be told of availability, or None."""
    if not injected:
        return "no fault was injected"
    start = min(fault.injected_at or 0 for fault in injected)
    if not any(each.first_ok is not None and each.first_ok < start for each in outcomes):
        return "no send was acknowledged before the fault: there was no service to lose"
    if any(each.start < start and each.end > start - GAP for each in breaks(outcomes)):
        return f"sends went wrong in the last {GAP:g} s before the fault already"
    for fault in injected:
        begin, end = fault.injected_at or 0, fault.heal_started_at
        sql = "select count(*) from message where invoked >= $1::double * 1e6 and invoked < $2::double * 1e6"
        if not history.number(sql, [begin, end if end is not None else FAR]):
            return f"nothing was sent while {fault.kind} of {fault.instance or fault.target} was in force"
    return None


def _phases(outcomes: Sequence[Bin], injected: Sequence[FaultRecord]) -> dict[str, Number]:
    """Count outcomes before the first fault, until the last heal was verified, and after; in bins."""
    start, end = _struck_time(injected)
    counts: dict[str, Number] = {}
    for phase, low, high in (
        ("before", float("-inf"), start),
        ("during", start, end),
        ("after", end, float("inf")),
    ):
        bins_of_phase = [each for each in outcomes if low <= _begin(each) < high]
        counts |= {
            f"{phase}_ok": sum(each.ok for each in bins_of_phase),
            f"{phase}_fail": sum(each.fail for each in bins_of_phase),
            f"{phase}_info": sum(each.info for each in bins_of_phase),
        }
    return counts


def _struck_time(injected: Sequence[FaultRecord]) -> tuple[float, float]:
    """Return when the first fault began and when the last one was seen healed."""
    start = min((fault.injected_at or 0 for fault in injected), default=math.inf)
    return start, max(
        (math.inf if fault.healed_at is None else fault.healed_at for fault in injected), default=math.inf
    )


def _latencies(history: History, injected: Sequence[FaultRecord]) -> dict[str, Number]:
    """Return quantiles in ms, by when the send began: to its acknowledgement, and end to end to its first read.

    Of many messages a sample speaks for all: those whose key's hash says so.
    """
    start, end = (min(t, FAR) for t in _struck_time(injected))
    share = max(1, history.number("select count(*) from message") // SAMPLE)
    numbers: dict[str, Number] = {}
    for name, sql in (("acknowledged", ACKNOWLEDGED_AFTER), ("end_to_end", READ_AFTER)):
        rows = {row[0]: row[1:] for row in history.query(sql, [start, end, share])}
        for phase in ("before", "during", "after"):
            values = rows.get(phase, (None, None, None))
            for quantile, value in zip(("p50", "p99", "max"), values, strict=True):
                numbers[f"{phase}_{name}_{quantile}_ms"] = None if value is None else round(float(str(value)), 3)
    return numbers


def _begin(outcomes: Bin) -> float:
    return min(t for t in (outcomes.first_ok, outcomes.first_bad) if t is not None)


def _after(fault: FaultRecord, at: float | None) -> float | None:
    return None if at is None or fault.injected_at is None else round((at - fault.injected_at) * 1000, 3)


def _parts(
    history: History, fault: FaultRecord, sustained: Sustained, answers: Sequence[Span]
) -> dict[str, Number]:
    """Break one RTO down into what NameServers and clients saw."""
    start = fault.injected_at or 0
    lost: dict[str, float | None] = {}
    named: dict[str, float | None] = {}
    struck = {span.broker for span in answers if span.master == fault.address and span.start <= start < span.end}
    for server in sorted({span.server for span in answers}):
        later = [span for span in answers if span.server == server and span.broker in struck and span.end > start]
        gone = [number for number, span in enumerate(later) if span.start > start and span.master != fault.address]
        lost[server] = _after(fault, later[gone[0]].start) if gone else None
        back = [span for span in later[gone[0] :] if span.master is not None] if gone else []
        named[server] = _after(fault, back[0].start) if back else None
    verified = fault.verified_at if fault.verified_at is not None else start
    parts: dict[str, Number] = {
        "verified_ms": _after(fault, fault.verified_at),
        "first_acknowledged_ms": _after(fault, next_ok(history, verified, verified)),
        "sustained_ms": _after(fault, sustained.at),
    }
    for name, times in (("route_lost", lost), ("new_master", named)):
        reached = [time for time in times.values() if time is not None]
        parts[f"{name}_first_ms"] = min(reached, default=None)
        parts[f"{name}_all_ms"] = max(reached) if reached and len(reached) == len(times) else None
        parts |= {f"{name}_ms.{server}": time for server, time in times.items()}
    return parts

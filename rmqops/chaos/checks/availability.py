"""How long sends did not work: the RTO of each fault, to the first *sustained* success, and what it is made of.

The clock starts when the fault is given (its ``invoke``). The first sustained success is the acknowledgement
of the first send, sent after that, from which on, for ``settings.sustained`` seconds, no send is refused or
indeterminate and no second passes without an acknowledgement. A single success between failures is therefore
none. The parts, all from the same start: each NameServer's route loses the struck master (``route_lost``),
names a master again (``new_master``), the first acknowledgement of a send sent after the fault was verified
(``first_acknowledged``), and ``sustained``.

These are the client's figures with the workload's own settings; the broker's part ends with ``new_master``.
Fails when service never came back, or took longer than ``settings.rto_limit`` if that is set. A drill that was
ended before it waited for recovery gave service no chance to come back, so that is inconclusive.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmqops.chaos.history import History
from rmqops.chaos.nemesis import RECOVERED, faults
from rmqops.chaos.outage import GAP, Bin, Sustained, bins, breaks, first_sustained, next_ok, windows
from rmqops.chaos.routes import Span, spans
from rmqops.chaos.settings import Settings
from rmqops.chaos.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, FaultRecord, Number, Verdict


def check(history: History, settings: Settings) -> CheckResult:
    """Measure every fault, and judge the worst."""
    found = [fault for fault in faults(history.of("fault", "heal")) if fault.injected_at is not None]
    outcomes = bins(history)
    numbers: dict[str, Number] = {"rto_ms": None, **_phases(outcomes, found)}
    reason = _blind(history, outcomes, found)
    if reason:
        return CheckResult("availability", Verdict.INCONCLUSIVE, reason, numbers)
    answers = spans(history.of("route"))
    sustained = [first_sustained(history, outcomes, fault.injected_at or 0, settings.sustained) for fault in found]
    rtos = [_after(fault, one.at) for fault, one in zip(found, sustained, strict=True)]
    worst = rtos.index(None) if None in rtos else rtos.index(max(rto for rto in rtos if rto is not None))
    numbers |= _parts(history, found[worst], sustained[worst], answers)
    numbers["rto_ms"] = rtos[worst]
    errors = windows(breaks(outcomes))
    numbers["error_windows"] = len(errors)
    evidence = (
        *(
            Evidence(
                f"{fault.kind} of {fault.instance or fault.target}: "
                + ("no sustained success" if rto is None else f"sustained success after {rto:.0f} ms"),
                process="nemesis",
                t=fault.injected_at,
                ended=one.at,
                address=fault.address,
            )
            for fault, one, rto in zip(found, sustained, rtos, strict=True)
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
    verdict, text = _judge(rtos[worst], sustained[worst], settings, waited=waited)
    return CheckResult("availability", verdict, text, numbers, evidence)


def _judge(rto: float | None, sustained: Sustained, settings: Settings, *, waited: bool) -> tuple[Verdict, str]:
    if rto is None and sustained.cut_short:
        text = f"sends worked again, but the workload ended before {settings.sustained:g} s had shown it"
        return Verdict.INCONCLUSIVE, text
    if rto is None and not waited:
        return Verdict.INCONCLUSIVE, "the drill was ended before sends could work again"
    if rto is None:
        return Verdict.FAIL, f"sends never worked again for {settings.sustained:g} s after a fault"
    text = f"first sustained success {rto:,.0f} ms after the fault"
    if settings.rto_limit and rto > settings.rto_limit * 1000:
        return Verdict.FAIL, f"{text}, beyond the limit of {settings.rto_limit:g} s"
    return Verdict.PASS, text


def _blind(history: History, outcomes: Sequence[Bin], found: Sequence[FaultRecord]) -> str | None:
    """Say why nothing can be told of availability, or None."""
    if not found:
        return "no fault was injected"
    start = min(fault.injected_at or 0 for fault in found)
    if not any(one.first_ok is not None and one.first_ok < start for one in outcomes):
        return "no send was acknowledged before the fault: there was no service to lose"
    if any(one.start < start and one.end > start - GAP for one in breaks(outcomes)):
        return f"sends went wrong in the last {GAP:g} s before the fault already"
    for fault in found:
        begin, end = fault.injected_at or 0, fault.heal_started_at
        sql = "select count(*) from message where invoked >= $1::double * 1e6 and invoked < $2::double * 1e6"
        if not history.number(sql, [begin, end if end is not None else float(1 << 40)]):
            return f"nothing was sent while {fault.kind} of {fault.instance or fault.target} was in force"
    return None


def _phases(outcomes: Sequence[Bin], found: Sequence[FaultRecord]) -> dict[str, Number]:
    """Count outcomes before the first fault, until the last heal was verified, and after; in bins."""
    start = min((fault.injected_at or 0 for fault in found), default=float("inf"))
    heals = [fault.healed_at if fault.healed_at is not None else float("inf") for fault in found]
    end = max(heals, default=float("inf"))
    counts: dict[str, Number] = {}
    for phase, low, high in (
        ("before", float("-inf"), start),
        ("during", start, end),
        ("after", end, float("inf")),
    ):
        mine = [one for one in outcomes if low <= _begin(one) < high]
        counts |= {
            f"{phase}_ok": sum(one.ok for one in mine),
            f"{phase}_fail": sum(one.fail for one in mine),
            f"{phase}_info": sum(one.info for one in mine),
        }
    return counts


def _begin(one: Bin) -> float:
    return min(t for t in (one.first_ok, one.first_bad) if t is not None)


def _after(fault: FaultRecord, at: float | None) -> float | None:
    return None if at is None or fault.injected_at is None else round((at - fault.injected_at) * 1000, 3)


def _parts(
    history: History, fault: FaultRecord, sustained: Sustained, answers: Sequence[Span]
) -> dict[str, Number]:
    """Break one RTO down into what NameServers and clients saw."""
    start = fault.injected_at or 0
    lost: dict[str, float | None] = {}
    named: dict[str, float | None] = {}
    struck = {span.broker for span in answers if span.master is not None and span.master == fault.address}
    for server in sorted({span.server for span in answers}):
        mine = [span for span in answers if span.server == server and span.broker in struck and span.end > start]
        gone = [number for number, span in enumerate(mine) if span.master != fault.address]
        lost[server] = _after(fault, mine[gone[0]].start) if gone else None
        back = [span for span in mine[gone[0] :] if span.master is not None] if gone else []
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

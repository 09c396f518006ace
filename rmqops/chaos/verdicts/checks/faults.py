"""The faults were what the drill says: seen to take effect, and not contradicted by anything that was seen.

A fault whose effect nobody saw proves nothing (decision 9 of the design). Nor does one that the history
contradicts: a broker that was stopped and went on to acknowledge what was sent to it afterwards, or a victim that
the drill calls the master and that no NameServer named so. The drill then did not do what it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmqops.chaos.history.fault_records import FaultRecord, faults
from rmqops.chaos.history.format import NEMESIS
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.routes import Span, spans
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, fault_evidence
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Verdict

STOPPED_FOR = {"kill": 3.0, "terminate": 3.0, "pause": None}
"""Faults that stop a broker, and for how many seconds at least: systemd starts a dead one again after 5 s; None is
until the heal."""

ACKNOWLEDGED_BY = """
    select count(*) from store.line l join message m using (k)
    where l.a = (hash($1::varchar) >> 32)::uinteger and l.t >= $2::double * 1e6 and l.t < $3::double * 1e6
        and m.invoked >= $2::double * 1e6
"""


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Judge that every fault was seen to take effect, and that nothing speaks against it."""
    injected = faults(history.of("fault", "heal"))
    blank = [fault for fault in injected if not fault.verified]
    numbers = {"injected": len(injected), "verified": len(injected) - len(blank), "contradicted": 0}
    if not injected:
        return CheckResult("faults", Verdict.INCONCLUSIVE, "no fault was injected", numbers)
    if blank:
        evidence = fault_evidence(blank, lambda fault: f": {fault.error or 'never verified'}")
        text = f"{count(len(blank), 'fault')} of {len(injected)} not seen to take effect"
        return CheckResult("faults", Verdict.INCONCLUSIVE, text, numbers, evidence)
    answers = spans(history.of("route"))
    contradictions = [(fault, why) for fault in injected for why in _contradictions(history, fault, answers)]
    if contradictions:
        numbers["contradicted"] = len({fault for fault, _ in contradictions})
        evidence = tuple(
            Evidence(why, process=NEMESIS, t=fault.injected_at, address=fault.address)
            for fault, why in contradictions[:EVIDENCE_LIMIT]
        )
        text = "; ".join(dict.fromkeys(why for _, why in contradictions[:3]))
        return CheckResult("faults", Verdict.INCONCLUSIVE, text, numbers, evidence)
    return CheckResult("faults", Verdict.PASS, f"{count(len(injected), 'fault')} seen to take effect", numbers)


def _contradictions(history: History, fault: FaultRecord, answers: Sequence[Span]) -> Iterator[str]:
    """Say what the history has against a fault."""
    who = f"{fault.instance} ({fault.address})"
    if fault.kind in STOPPED_FOR and fault.group and fault.address and fault.verified_at is not None:
        least = STOPPED_FOR[fault.kind]
        heal = fault.heal_started_at if fault.heal_started_at is not None else fault.verified_at
        end = heal if least is None else min(heal, fault.verified_at + least)
        served = history.number(ACKNOWLEDGED_BY, [fault.address, fault.verified_at, end])
        if served:
            yield f"{who} acknowledged {count(served, 'message')} sent after {fault.kind} was seen to take effect"
    at = fault.injected_at or 0.0
    named = {
        span.master
        for span in answers
        if span.broker == fault.group and span.start <= at <= span.end and span.master is not None
    }
    if fault.target == "master" and named and fault.address not in named:
        yield f"{who} was struck as the master, and the NameServers named {', '.join(sorted(map(str, named)))}"
    if fault.target == "slave" and named == {fault.address}:
        yield f"{who} was struck as a slave, and every NameServer named it as the master"

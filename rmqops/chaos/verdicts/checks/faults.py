"""The faults took effect: a fault whose effect nobody saw proves nothing (decision 9 of the design)."""

from __future__ import annotations

from rmqops.chaos.history.fault_records import faults
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, fault_evidence
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Judge that every fault was seen to take effect."""
    injected = faults(history.of("fault", "heal"))
    blank = [fault for fault in injected if not fault.verified]
    numbers = {"injected": len(injected), "verified": len(injected) - len(blank)}
    if not injected:
        return CheckResult("faults", Verdict.INCONCLUSIVE, "no fault was injected", numbers)
    if blank:
        evidence = fault_evidence(blank, lambda fault: f": {fault.error or 'never verified'}")
        text = f"{count(len(blank), 'fault')} of {len(injected)} not seen to take effect"
        return CheckResult("faults", Verdict.INCONCLUSIVE, text, numbers, evidence)
    return CheckResult("faults", Verdict.PASS, f"{count(len(injected), 'fault')} seen to take effect", numbers)

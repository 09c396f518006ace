"""The faults bit: a fault whose effect nobody saw proves nothing (decision 9 of the design)."""

from __future__ import annotations

from rmqops.chaos.history.fault_records import faults
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.message_stories import count
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Verdict


def check(history: History, _settings: Bounds) -> CheckResult:
    """Judge that every fault was seen to take effect."""
    found = faults(history.of("fault", "heal"))
    blank = [fault for fault in found if not fault.verified]
    numbers = {"injected": len(found), "verified": len(found) - len(blank)}
    if not found:
        return CheckResult("faults", Verdict.INCONCLUSIVE, "no fault was injected", numbers)
    if blank:
        evidence = tuple(
            Evidence(
                f"{fault.kind} of {fault.instance or fault.target}: {fault.error or 'never verified'}",
                process="nemesis",
                t=fault.injected_at,
                address=fault.address,
            )
            for fault in blank[:EVIDENCE_LIMIT]
        )
        text = f"{count(len(blank), 'fault')} of {len(found)} not seen to take effect"
        return CheckResult("faults", Verdict.INCONCLUSIVE, text, numbers, evidence)
    return CheckResult("faults", Verdict.PASS, f"{count(len(found), 'fault')} seen to take effect", numbers)

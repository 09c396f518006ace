"""The cluster was healthy again after the heal of each phase: every member back, one master, a canary through.

A heal that itself failed gave the cluster no chance, so this check is then inconclusive and the drill
``heal-failed``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rmqops.chaos.history.fault_records import FaultRecord, faults
from rmqops.chaos.history.format import RECOVERED
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import fault_evidence
from rmqops.chaos.verdicts.verdict import CheckResult, Evidence, Verdict
from rmqops.model.history import Event


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Judge that the cluster recovered after each phase, and tell how long that took at most, from the heal."""
    injected = faults(history.of("fault", "heal"))
    open_faults = [fault for fault in injected if not fault.healed]
    recoveries = [event for event in history.of("heal") if event.key == RECOVERED and event.type != "invoke"]
    took = max((_since_heal(injected, event) for event in recoveries if event.type == "ok"), default=None)
    numbers = {"healed": len(injected) - len(open_faults), "recovery_ms": took}
    failed = next((event for event in recoveries if event.type == "fail"), None)
    if failed is not None:
        text = f"not healthy again after the heal: {failed.error or 'no reason given'}"
        return CheckResult("recovery", Verdict.FAIL, text, numbers, (Evidence(text, t=failed.t),))
    if open_faults:
        evidence = fault_evidence(open_faults, lambda _: " was not seen healed")
        text = "a fault was not healed, so nothing could recover"
        return CheckResult("recovery", Verdict.INCONCLUSIVE, text, numbers, evidence)
    unsaid = _phases_unsaid(injected, [event for event in recoveries if event.type == "ok"])
    if unsaid:
        text = f"nobody said whether it was healthy again after phase {', '.join(map(str, unsaid))}"
        return CheckResult("recovery", Verdict.INCONCLUSIVE, text, numbers)
    return CheckResult("recovery", Verdict.PASS, f"healthy again {took or 0:.0f} ms after the heal", numbers)


def _phases_unsaid(injected: Sequence[FaultRecord], recovered: Sequence[Event]) -> list[int]:
    """Return the phases between whose heal and the next fault nobody said that the cluster was healthy."""
    ends: dict[int, float] = {}
    begins: dict[int, float] = {}
    for fault in injected:
        ends[fault.phase] = max(ends.get(fault.phase, 0.0), fault.healed_at or 0.0)
        begins[fault.phase] = min(begins.get(fault.phase, math.inf), fault.injected_at or math.inf)
    unsaid = []
    for phase, end in sorted(ends.items()):
        following = min((begin for begin in begins.values() if begin > end), default=math.inf)
        if not any(end <= event.t <= following for event in recovered):
            unsaid.append(phase)
    return unsaid if injected else [1]


def _since_heal(found: Sequence[FaultRecord], event: Event) -> float:
    healed = [fault.healed_at for fault in found if fault.healed_at is not None and fault.healed_at <= event.t]
    return round((event.t - max(healed, default=event.t)) * 1000, 3)

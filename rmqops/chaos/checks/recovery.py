"""The cluster was healthy again after the heal: every member back, one master, a canary through.

A heal that itself failed gave the cluster no chance, so this check is then inconclusive and the drill
``heal-failed``.
"""

from __future__ import annotations

from rmqops.chaos.history import History
from rmqops.chaos.nemesis import RECOVERED, faults
from rmqops.chaos.settings import Settings
from rmqops.chaos.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Verdict


def check(history: History, _settings: Settings) -> CheckResult:
    """Judge that the cluster recovered, and count how long that took from the last heal."""
    found = faults(history.of("fault", "heal"))
    open_faults = [fault for fault in found if not fault.healed]
    said = [event for event in history.of("heal") if event.key == RECOVERED and event.type != "invoke"]
    healed = max((fault.healed_at for fault in found if fault.healed_at is not None), default=None)
    good = [event for event in said if event.type == "ok"]
    took = None if healed is None or not good else round((good[-1].t - healed) * 1000, 3)
    numbers = {"healed": len(found) - len(open_faults), "recovery_ms": took}
    if said and said[-1].type == "fail":
        text = f"not healthy again after the heal: {said[-1].error or 'no reason given'}"
        return CheckResult("recovery", Verdict.FAIL, text, numbers, (Evidence(text, t=said[-1].t),))
    if open_faults:
        evidence = tuple(
            Evidence(
                f"{fault.kind} of {fault.instance or fault.target} was not seen healed",
                process="nemesis",
                t=fault.injected_at,
                address=fault.address,
            )
            for fault in open_faults[:EVIDENCE_LIMIT]
        )
        text = "a fault was not healed, so nothing could recover"
        return CheckResult("recovery", Verdict.INCONCLUSIVE, text, numbers, evidence)
    if not said or said[-1].type != "ok":
        return CheckResult("recovery", Verdict.INCONCLUSIVE, "nobody said whether it was healthy again", numbers)
    return CheckResult("recovery", Verdict.PASS, f"healthy again {took or 0:.0f} ms after the heal", numbers)

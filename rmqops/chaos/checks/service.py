"""What the drill expects of the service while its faults are in force: that it goes on, or that it stands still.

A cluster that survives serves again *before* anybody mends it: the first sustained success must come between the
fault and the heal. A drill that takes a group's majority expects the opposite: from ``settings.standstill``
seconds after the last fault until the first heal, no send to that group may be acknowledged, because nobody could
have agreed to it.

A drill that was ended before it waited for recovery has not given service the time to come back.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmqops.chaos.evidence import count, messages
from rmqops.chaos.history import History
from rmqops.chaos.nemesis import RECOVERED, faults
from rmqops.chaos.outage import bins, first_sustained
from rmqops.chaos.settings import Settings
from rmqops.chaos.verdict import CheckResult, Evidence, FaultRecord, Number, Verdict

SENT = "select count(*) from message where invoked >= $1::double * 1e6 and invoked < $2::double * 1e6"
SERVED = """
    select k from message
    where acks > 0 and invoked >= $1::double * 1e6 and ended < $2::double * 1e6
        and q not in (select q from drain where not list_contains($3::varchar[], broker))
    order by invoked, k
"""


def check(history: History, settings: Settings) -> CheckResult:
    """Judge the time in which every fault was in force."""
    found = [fault for fault in faults(history.of("fault", "heal")) if fault.injected_at is not None]
    ends = [fault.heal_started_at for fault in found if fault.heal_started_at is not None]
    if not found or not ends:
        return _result(Verdict.INCONCLUSIVE, "no fault was in force and taken away")
    begin, end = max(fault.verified_at or fault.injected_at or 0 for fault in found), min(ends)
    return (_stands_still if settings.standstill else _goes_on)(history, settings, found, begin, end)


def _goes_on(
    history: History, settings: Settings, found: Sequence[FaultRecord], begin: float, end: float
) -> CheckResult:
    injected = max(fault.injected_at or 0 for fault in found)
    at = first_sustained(history, bins(history), injected, settings.sustained).at
    if at is not None and at < end:
        return _result(
            Verdict.PASS, f"served again {(at - injected) * 1000:,.0f} ms after the fault, unmended", at
        )
    if end - injected <= settings.sustained or not any(event.key == RECOVERED for event in history.of("heal")):
        return _result(Verdict.INCONCLUSIVE, "the fault was taken away before service could come back", at)
    text = f"did not serve in the {end - begin:.1f} s in which the fault was in force"
    return _result(Verdict.FAIL, text, at, evidence=(Evidence(text, t=begin, ended=end),))


def _stands_still(
    history: History, settings: Settings, _found: Sequence[FaultRecord], begin: float, end: float
) -> CheckResult:
    start = begin + settings.standstill
    if not history.number(SENT, [start, end]):
        return _result(Verdict.INCONCLUSIVE, f"nothing was sent from {settings.standstill:g} s after the fault on")
    struck = sorted({event.broker for event in history.of("fault") if event.broker})
    served = [row[0] for row in history.query(SERVED, [start, end, struck])]
    if served:
        evidence = messages(history, "acknowledged while nobody could agree to it", map(int, map(str, served)))
        text = f"{count(len(served), 'message')} acknowledged without a majority"
        return _result(Verdict.FAIL, text, served=len(served), evidence=evidence)
    return _result(Verdict.PASS, f"nothing was acknowledged for {end - start:.1f} s, as expected", served=0)


def _result(
    verdict: Verdict,
    text: str,
    at: float | None = None,
    *,
    served: int | None = None,
    evidence: tuple[Evidence, ...] = (),
) -> CheckResult:
    numbers: dict[str, Number] = {"served_again_at_s": at, "served_without_majority": served}
    return CheckResult("service", verdict, text, numbers, evidence)

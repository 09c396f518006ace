"""What each phase expects of the service while its faults are in force: that it goes on, or that it stands still.

A cluster that survives serves again *before* anybody mends it: the first sustained success must come between the
fault and the heal. A phase that takes a group's majority expects the opposite: from ``settings.standstill``
seconds after the last fault until the first heal, no send to that group may be acknowledged, because nobody could
have agreed to it. A phase that expects ``reads`` expects four things: the other groups serve again, no send to
the struck group is acknowledged, its messages are read from a slave, and that slave refuses one offered to it. A
phase that allows ``anything`` is not judged here.

A drill that was ended before it waited for recovery has not given service the time to come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rmqops.chaos.history.fault_records import RECOVERED, FaultRecord, faults
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.service_windows import bins, first_sustained
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.message_stories import count, messages
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Number, Verdict
from rmqops.model.history import READER, WRITER

MOST = 3
"""So many phases are told in the summary."""

SENT = "select count(*) from message where invoked >= $1::double * 1e6 and invoked < $2::double * 1e6"
READ = """
    select count(*) from raw
    where op = 'receive' and type = 'ok' and starts_with(process, $1::varchar)
"""
SERVED = """
    select k from message
    where acks > 0 and invoked >= $1::double * 1e6 and ended < $2::double * 1e6
        and q not in (select q from drain where not list_contains($3::varchar[], broker))
    order by invoked, k
"""


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


def check(history: History, settings: Bounds) -> CheckResult:
    """Judge the time in which the faults of each phase were in force."""
    found: dict[int, list[FaultRecord]] = {}
    for fault in faults(history.of("fault", "heal")):
        if fault.injected_at is not None:
            found.setdefault(fault.phase, []).append(fault)
    judged = [_judge(history, settings, phase) for phase in found.values()]
    verdict, told = _worst(judged)
    text = "; ".join(dict.fromkeys(phase.text for phase in told[:MOST])) or "no fault was in force and taken away"
    if len(judged) > 1:
        text = f"{len(told)} of {len(judged)} phases: {text}"
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
    words = {one.verdict for one in judged}
    verdict = next((one for one in (Verdict.FAIL, Verdict.INCONCLUSIVE) if one in words), Verdict.PASS)
    return verdict, [one for one in judged if one.verdict is verdict]


def _judge(history: History, settings: Bounds, found: Sequence[FaultRecord]) -> _Phase:
    ends = [fault.heal_started_at for fault in found if fault.heal_started_at is not None]
    if not ends:
        return _Phase(Verdict.INCONCLUSIVE, "no fault was in force and taken away")
    begin, end = max(fault.verified_at or fault.injected_at or 0 for fault in found), min(ends)
    if found[0].expects == "standstill":
        return _stands_still(history, settings, found, begin, end)
    if found[0].expects == "anything":
        return _Phase(Verdict.PASS, "either was allowed")
    if found[0].expects == "reads":
        return _is_read(history, settings, found, begin, end)
    return _goes_on(history, settings, found, begin, end)


def _is_read(history: History, settings: Bounds, found: Sequence[FaultRecord], begin: float, end: float) -> _Phase:
    goes_on = _goes_on(history, settings, found, begin, end)
    stands_still = _stands_still(history, settings, found, begin, end)
    read = history.number(READ, [f"{READER}{found[0].phase}-"])
    text = f"{count(read, 'message')} read from a slave while the master was dead"
    reads = _Phase(Verdict.PASS if read else Verdict.FAIL, text)
    parts = (goes_on, stands_still, reads, *_refuses(history, found[0].phase))
    verdict, told = _worst(parts)
    return _Phase(
        verdict,
        "; ".join(part.text for part in told),
        goes_on.again_ms,
        stands_still.served,
        tuple(item for part in parts for item in part.evidence),
    )


def _refuses(history: History, phase: int) -> Iterator[_Phase]:
    """Judge what living members said to messages that were offered to them while their master was dead."""
    offered = [event for event in history.of("probe") if event.process.startswith(f"{WRITER}{phase}-")]
    taken = [event for event in offered if event.type == "ok"]
    unknown = [event for event in offered if event.type == "info"]
    if taken:
        evidence = tuple(
            Evidence("a slave took it", key=event.key, process=event.process, t=event.t, broker=event.broker,
                     address=event.address)
            for event in taken
        )  # fmt: skip
        yield _Phase(Verdict.FAIL, f"slaves took {count(len(taken), 'message')}", evidence=evidence)
    elif unknown:
        yield _Phase(Verdict.INCONCLUSIVE, f"what a slave said to a message is not known: {unknown[0].error}")
    elif offered:
        yield _Phase(Verdict.PASS, f"slaves refused {count(len(offered), 'message')}")


def _goes_on(history: History, settings: Bounds, found: Sequence[FaultRecord], begin: float, end: float) -> _Phase:
    injected = max(fault.injected_at or 0 for fault in found)
    at = first_sustained(history, bins(history), injected, settings.sustained).at
    took = None if at is None else round((at - injected) * 1000, 3)
    if at is not None and at < end:
        return _Phase(Verdict.PASS, f"served again {took:,.0f} ms after the fault, unmended", took)
    waited = any(event.key == RECOVERED and event.t > end for event in history.of("heal"))
    if end - injected <= settings.sustained or not waited:
        return _Phase(Verdict.INCONCLUSIVE, "the fault was taken away before service could come back", took)
    text = f"did not serve in the {end - begin:.1f} s in which the fault was in force"
    return _Phase(Verdict.FAIL, text, took, evidence=(Evidence(text, t=begin, ended=end),))


def _stands_still(
    history: History, settings: Bounds, found: Sequence[FaultRecord], begin: float, end: float
) -> _Phase:
    start = begin + settings.standstill
    if not history.number(SENT, [start, end]):
        text = f"nothing was sent from {settings.standstill:g} s after the fault on"
        return _Phase(Verdict.INCONCLUSIVE, text)
    names = {fault.instance for fault in found}
    struck = sorted(
        {
            event.broker
            for event in history.of("fault")
            if event.broker and (event.value or {}).get("instance") in names
        }
    )
    served = [row[0] for row in history.query(SERVED, [start, end, struck])]
    if served:
        evidence = messages(history, "acknowledged while nobody could agree to it", map(int, map(str, served)))
        text = f"{count(len(served), 'message')} acknowledged without a majority"
        return _Phase(Verdict.FAIL, text, served=len(served), evidence=evidence)
    return _Phase(Verdict.PASS, f"nothing was acknowledged for {end - start:.1f} s, as expected", served=0)

"""The route that NameServers give to clients: one master a group, the same from all, and there when it should be.

NameServers never talk to one another, so they may differ for a moment, at most ``bounds.agreement``. A
group whose master or majority was struck may be without a master from the fault until one NameServer names one
again; from then on the others have that moment, and so has a group that was not struck, always. A master that
goes missing, or changes, at another time, such as when the old leader comes back and registers as broker 0 before
it knows its role (apache/rocketmq#1464), is a second outage that nobody injected: a fail when it lasts longer
than ``bounds.agreement``.

A NameServer that was struck comes back with an empty route and learns it from the brokers' heartbeats. What it
does not know is counted (``empty_windows``), and is held against it only after ``bounds.heartbeat``.

What a NameServer said is known only while it was sampled and answered. One that nobody saw for longer than a
sample stands (3 s) makes a pass impossible.

An address has one id: a NameServer of 4.5 removes the old one (``RouteInfoManager.registerBroker``), and an
address that is master and slave at once is a fail.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmqops.chaos.history.fault_records import FaultRecord, faults
from rmqops.chaos.history.format import MASTER, RECOVERED
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.routes import (
    SILENCE,
    Span,
    disagreements,
    elections,
    group_sizes,
    ignorant,
    spans,
    unanswered,
    unexcused,
    unsampled,
)
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Number, Verdict
from rmqops.model.history import Event


def check(history: History, bounds: Bounds) -> CheckResult:
    """Judge each NameServer's answers, alone and against the others."""
    events = list(history.of("route"))
    answers, struck = spans(events), faults(history.of("fault", "heal"))
    recovered = [event.t for event in history.of("heal") if event.key == RECOVERED and event.type == "ok"]
    empty = ignorant(answers, struck, bounds.heartbeat)
    heard = [span for span in answers if span not in empty]
    windows = elections(heard, struck, group_sizes(events), recovered)
    bound = bounds.agreement
    split = [item for item in disagreements(heard) if unexcused(*item, windows) > bound]
    masterless = [span for span in heard if span.master is None]
    second = [span for span in masterless if unexcused(span.broker, span.start, span.end, windows) > bound]
    twofaced = [event for event in events if _is_master_and_slave(event)]
    longest = max((span.end - span.start for span in masterless), default=0.0)
    servers = len({event.process for event in events if event.type == "ok"})
    unseen = _unseen(events, struck, recovered, bounds)
    numbers: dict[str, Number] = {
        "nameservers": servers,
        "samples": len(events),
        "masterless_windows": len(masterless),
        "masterless_longest_ms": round(longest * 1000, 3),
        "empty_windows": len(empty),
        "second_windows": len(second),
        "disagreements": len(split),
        "two_faced_answers": len(twofaced),
        "unseen_longest_ms": round(1000 * max(unseen.values(), default=0.0), 3),
    }
    evidence = _evidence(second, split, twofaced)
    if evidence:
        text = (
            f"{count(len(second), 'window')} without a master that no fault explains,"
            f" {count(len(split), 'disagreement')} longer than {bound:g} s,"
            f" {count(len(twofaced), 'answer')} with an address as master and slave"
        )
        return CheckResult("routes", Verdict.FAIL, text, numbers, evidence)
    if not heard:
        return CheckResult("routes", Verdict.INCONCLUSIVE, "no NameServer answered", numbers)
    blind = {server: seconds for server, seconds in unseen.items() if seconds > SILENCE}
    if blind:
        text = "; ".join(f"what {server} said in {seconds:.1f} s nobody saw" for server, seconds in blind.items())
        return CheckResult("routes", Verdict.INCONCLUSIVE, text, numbers)
    text = f"{count(servers, 'NameServer')} agreed; longest without a master {longest:.3f} s"
    return CheckResult("routes", Verdict.PASS, text, numbers)


def _unseen(
    events: Sequence[Event], struck: Sequence[FaultRecord], recovered: Sequence[float], bounds: Bounds
) -> dict[str, float]:
    """Return for each NameServer how long at most it was not sampled, or did not answer, while it counted."""
    begin = min((fault.injected_at for fault in struck if fault.injected_at is not None), default=None)
    if begin is None:
        return {}
    ends = [fault.healed_at or fault.heal_started_at or begin for fault in struck]
    end = max([*ends, *recovered])
    silent = unanswered(events, struck, bounds.heartbeat)
    return {
        server: max(seconds, silent.get(server, 0.0)) for server, seconds in unsampled(events, begin, end).items()
    }


def _evidence(
    second: Sequence[Span], split: Sequence[tuple[str, float, float]], twofaced: Sequence[Event]
) -> tuple[Evidence, ...]:
    gone = (
        Evidence(
            f"{span.server} had no master for {span.broker} for {span.end - span.start:.3f} s,"
            " and no fault explains it",
            process=span.server,
            t=span.start,
            ended=span.end,
            broker=span.broker,
        )
        for span in second
    )
    differing = (
        Evidence(
            f"the NameServers named different masters for {broker} for {end - start:.3f} s",
            t=start,
            ended=end,
            broker=broker,
        )
        for broker, start, end in split
    )
    doubled = (
        Evidence("one address is master and slave at once", process=event.process, t=event.t, broker=event.broker)
        for event in twofaced
    )
    return (*gone, *differing, *doubled)[:EVIDENCE_LIMIT]


def _is_master_and_slave(event: Event) -> bool:
    value = event.value or {}
    return MASTER in value and list(value.values()).count(value[MASTER]) > 1

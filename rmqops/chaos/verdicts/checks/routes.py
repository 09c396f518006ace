"""The route that NameServers give to clients: one master a group, the same from all, and there when it should be.

NameServers never talk to one another, so they may differ for a moment, at most ``bounds.agreement``. A
group may be without a master from a fault until the election's end. A master that goes missing, or changes,
at another time, such as when the old leader comes back and registers as broker 0 before it knows its role
(apache/rocketmq#1464), is a second outage that nobody injected: a fail when it lasts longer than
``bounds.agreement``.

A NameServer that was struck comes back with an empty route and learns it from the brokers' heartbeats. What it
does not know is counted (``empty_windows``), and is held against it only after ``bounds.heartbeat``.

An address has one id: a NameServer of 4.5 removes the old one (``RouteInfoManager.registerBroker``), and an
address that is master and slave at once is a fail.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmqops.chaos.history.fault_records import faults
from rmqops.chaos.history.format import MASTER
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.routes import Span, disagreements, elections, ignorant, spans
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Number, Verdict
from rmqops.model.history import Event


def check(history: History, bounds: Bounds) -> CheckResult:
    """Judge each NameServer's answers, alone and against the others."""
    events = list(history.of("route"))
    answers, struck = spans(events), faults(history.of("fault", "heal"))
    empty = ignorant(answers, struck, bounds.heartbeat)
    informed = [span for span in answers if span not in empty]
    elections_seen = elections(informed, struck)
    bound = bounds.agreement
    split = [(broker, start, end) for broker, start, end in disagreements(informed) if end - start > bound]
    split = [(broker, start, end) for broker, start, end in split if not _explained(elections_seen, broker, start)]
    masterless = [span for span in informed if span.master is None]
    second = [
        span
        for span in masterless
        if span.end - span.start > bound and not _explained(elections_seen, span.broker, span.start)
    ]
    twofaced = [event for event in events if _is_master_and_slave(event)]
    longest = max((span.end - span.start for span in masterless), default=0.0)
    servers = len({event.process for event in events if event.type == "ok"})
    numbers: dict[str, Number] = {
        "nameservers": servers,
        "samples": len(events),
        "masterless_windows": len(masterless),
        "masterless_longest_ms": round(longest * 1000, 3),
        "empty_windows": len(empty),
        "second_windows": len(second),
        "disagreements": len(split),
        "two_faced_answers": len(twofaced),
    }
    evidence = _evidence(second, split, twofaced)
    if evidence:
        text = (
            f"{count(len(second), 'window')} without a master that no fault explains,"
            f" {count(len(split), 'disagreement')} longer than {bound:g} s,"
            f" {count(len(twofaced), 'answer')} with an address as master and slave"
        )
        return CheckResult("routes", Verdict.FAIL, text, numbers, evidence)
    if not informed:
        return CheckResult("routes", Verdict.INCONCLUSIVE, "no NameServer answered", numbers)
    text = f"{count(servers, 'NameServer')} agreed; longest without a master {longest:.3f} s"
    return CheckResult("routes", Verdict.PASS, text, numbers)


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


def _explained(windows: Sequence[tuple[str, float, float]], broker: str, t: float) -> bool:
    return any(group == broker and start <= t < end for group, start, end in windows)

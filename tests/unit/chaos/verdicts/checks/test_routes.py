"""What the routes of NameServers that were struck are held against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.routes import Span, ignorant
from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event
from tests.support import drill
from tests.unit.chaos.verdicts.checks.recorded import write

HEARD_AGAIN = 12.0


def judged(directory: Path, *, struck: str, heard: float, end: float = drill.END) -> CheckResult:
    """Judge a drill after which the third NameServer comes back empty and hears of its brokers later."""
    victim = {"instance": struck, "address": "127.0.0.1:9878", "target": "namesrv"}
    whole = dict(zip("023", drill.ADDRESSES, strict=True))

    def altered(event: Event) -> Event:
        if event.op == "route":
            empty = event.process == "namesrv-3" and drill.FAULT < event.t < heard
            return replace(event, value={} if empty else whole)
        return replace(event, value=victim) if event.op in ("fault", "heal") and event.value else event

    verdicts = evaluate(write([altered(event) for event in drill.history(end=end)], directory))
    return next(result for result in verdicts.results if result.name == "routes")


def test_a_nameserver_that_was_started_again_may_know_nothing_until_the_next_heartbeat(tmp_path: Path) -> None:
    found = judged(tmp_path, struck="namesrv-3", heard=HEARD_AGAIN)
    assert (found.verdict, found.numbers["empty_windows"]) == (Verdict.PASS, 1)


def test_a_nameserver_that_nobody_struck_may_not(tmp_path: Path) -> None:
    found = judged(tmp_path, struck="namesrv-2", heard=HEARD_AGAIN)
    assert (found.verdict, found.numbers["empty_windows"]) == (Verdict.FAIL, 0)


def test_one_that_never_hears_of_them_again_is_at_fault(tmp_path: Path) -> None:
    found = judged(tmp_path, struck="namesrv-3", heard=58.0, end=60.0)
    assert found.verdict is Verdict.FAIL


def test_one_that_was_struck_twice_is_forgiven_twice() -> None:
    struck = [
        FaultRecord("kill", "namesrv", instance="namesrv-3", injected_at=at, healed_at=at + 5)
        for at in (10.0, 100.0)
    ]
    spans = [Span("namesrv-3", "broker-a", None, at + 6, at + 20) for at in (10.0, 50.0, 100.0)]
    assert ignorant(spans, struck, 35) == [spans[0], spans[2]]

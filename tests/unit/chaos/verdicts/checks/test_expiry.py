"""When NameServers dropped a broker that stood still: within the count of 120 s and one scan, or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event
from tests.support.drill import ADDRESSES, NAMESERVERS
from tests.unit.chaos.verdicts.checks.recorded import write

STRUCK, HEALED, END = 5.0, 150.0, 160.0


def judged(
    directory: Path,
    dropped: tuple[float, ...],
    *,
    kind: str = "pause",
    victim: str = ADDRESSES[1],
    healed: float = HEALED,
) -> CheckResult | None:
    """Judge a broker that was struck at ``STRUCK`` and dropped so many seconds later, by each NameServer."""
    value = {"target": "slave", "instance": "broker-a-1", "address": victim, "expects": "service"}
    events = [
        Event(STRUCK - 0.1, "nemesis", "fault", "invoke", broker="broker-a", key=kind, value=value),
        Event(STRUCK, "nemesis", "fault", "ok", broker="broker-a", key=kind, value=value),
        Event(healed, "nemesis", "heal", "invoke", key=kind, value=value),
        Event(healed + 0.1, "nemesis", "heal", "ok", key=kind, value=value),
    ]
    whole = dict(zip(("0", "1", "2"), ADDRESSES, strict=True))
    without = {number: address for number, address in whole.items() if address != victim}
    for server, after in zip(NAMESERVERS, dropped, strict=False):
        for t in (*range(int(END)), STRUCK + after):
            named = without if STRUCK + after <= t < healed + 5 else whole
            events.append(Event(float(t), server, "route", "ok", broker="broker-a", value=named))
    verdicts = evaluate(write(sorted(events, key=lambda event: event.t), directory), Bounds())
    return next((result for result in verdicts.results if result.name == "expiry"), None)


def test_a_drop_within_the_count_and_a_scan_passes(tmp_path: Path) -> None:
    found = judged(tmp_path, (95.0, 118.5, 129.0))
    assert found is not None
    assert found.verdict is Verdict.PASS
    assert found.numbers == {"nameservers": 3, "dropped_first_ms": 95_000, "dropped_last_ms": 129_000}


@pytest.mark.parametrize(
    ("odd", "words"), [(140.0, "after 140.0 s"), (60.0, "after 60.0 s"), (999.0, "never dropped")]
)
def test_one_nameserver_that_counts_otherwise_is_named(tmp_path: Path, odd: float, words: str) -> None:
    found = judged(tmp_path, (110.0, odd, 110.0))
    assert found is not None
    assert found.verdict is Verdict.FAIL
    (evidence,) = found.evidence
    assert evidence.process == NAMESERVERS[1]
    assert words in evidence.note


def test_what_was_not_silent_for_long_enough_is_not_judged(tmp_path: Path) -> None:
    assert judged(tmp_path, (110.0,), kind="kill") is None
    assert judged(tmp_path, (999.0,), healed=100.0) is None
    assert judged(tmp_path, (5.0,), victim=ADDRESSES[0]) is None, "a master's id is taken over"

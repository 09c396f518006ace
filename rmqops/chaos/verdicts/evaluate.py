"""From a history to its verdicts: every check, their counts, and the word for the drill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from rmqops.chaos.history import fault_records, run_record
from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.lines import MalformedHistory, readable
from rmqops.chaos.history.reader import History, open_history
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.checks import Check, discover
from rmqops.chaos.verdicts.verdict import CheckResult, Counts, Number, Verdict, Verdicts, overall

CUT_SHORT = "the drill was cut short: "
"""Begins the note of a drill that did not come to its end."""
TIMED = ("availability", "committed", "copied", "delivered", "expiry", "order", "routes", "service")
"""Checks that hold one time against another."""


def evaluate(history_path: Path, bounds: Bounds | None = None) -> Verdicts:
    """Judge a drill by its history alone.

    An empty history or a malformed line makes the whole inconclusive; faults that were not healed are still told.
    Bounds that stand in the history are those that judge it; ``bounds`` are for one that has none.

    Raises:
        UsageError: there is no history, or its bounds are none.
        OperationFailed: the machine ran out of memory or room.
    """
    try:
        with open_history(history_path) as history:
            run = run_record.read(history.of("run"))
            chosen = Bounds.parse(run.bounds) if run.bounds else bounds or Bounds()
            ran = {name: _run(name, check, history, chosen) for name, check in discover().items()}
            results = _believable({name: result for name, result in ran.items() if result is not None})
            results += tuple(_left_out(name) for name in run.due if ran.get(name) is None)
            counts = _counts(history, results)
            faults = fault_records.faults(history.of("fault", "heal"))
            verdicts = _verdicts(results, counts, faults, history.notes)
            return cut_short(verdicts, run.cut_short) if run.cut_short else verdicts
    except (MalformedHistory, ValueError) as error:
        line = error.line if isinstance(error, MalformedHistory) else 0
        result = CheckResult("history", Verdict.INCONCLUSIVE, str(error), {"malformed_line": line})
        struck = fault_records.faults(event for event in readable(history_path) if event.op in ("fault", "heal"))
        return _verdicts((result,), Counts(), struck, ())


def cut_short(verdicts: Verdicts, why: str) -> Verdicts:
    """Return the verdicts of a drill that did not come to its end: never a pass, and the reason with them."""
    word = Verdict.INCONCLUSIVE if verdicts.overall is Verdict.PASS else verdicts.overall
    return replace(verdicts, overall=word, notes=(*verdicts.notes, CUT_SHORT + why))


def _believable(results: Mapping[str, CheckResult]) -> tuple[CheckResult, ...]:
    """Return the results; where a clock ran backwards, no check that rests on times may fail."""
    history = results.get("history")
    if history is None or not history.numbers.get("clocks_ran_backwards"):
        return tuple(results.values())
    return tuple(
        replace(
            result,
            verdict=Verdict.INCONCLUSIVE,
            summary=f"{result.summary}; but a clock ran backwards, so its times cannot be believed",
        )
        if result.name in TIMED and result.verdict is Verdict.FAIL
        else result
        for result in results.values()
    )


def _left_out(name: str) -> CheckResult:
    text = "this drill must be judged by it, and its history has nothing for it"
    return CheckResult(name, Verdict.INCONCLUSIVE, text)


def _verdicts(
    results: tuple[CheckResult, ...],
    counts: Counts,
    faults: tuple[FaultRecord, ...],
    notes: Iterable[str],
) -> Verdicts:
    failed = fault_records.heal_failed(faults)
    return Verdicts(overall(results, heal_failed=failed), results, counts, faults, failed, tuple(notes))


def _run(name: str, check: Check, history: History, bounds: Bounds) -> CheckResult | None:
    """Run one check; a check that breaks has proven nothing."""
    try:
        return check(history, bounds)
    except Exception as error:
        text = f"the check itself failed: {type(error).__name__}: {error}"
        return CheckResult(name, Verdict.INCONCLUSIVE, text)


def _counts(history: History, results: Iterable[CheckResult]) -> Counts:
    """Gather the counts of the contract from the checks that made them."""
    rows = history.query("select outcome::varchar, count(*) from message group by all")
    sends = {str(outcome): int(str(number)) for outcome, number in rows}
    numbers: Mapping[str, Mapping[str, Number]] = {result.name: result.numbers for result in results}
    counts = {name: _whole(numbers, name) for name in ("lost", "recovered", "duplicated", "unexpected")}
    rto = numbers.get("availability", {}).get("rto_ms")
    return Counts(
        acknowledged=sends.get("acknowledged", 0),
        refused=sends.get("refused", 0),
        indeterminate=sends.get("indeterminate", 0),
        lost=counts["lost"],
        recovered=counts["recovered"],
        duplicated=counts["duplicated"],
        unexpected=counts["unexpected"],
        rto_ms=float(rto) if isinstance(rto, int | float) else None,
    )


def _whole(numbers: Mapping[str, Mapping[str, Number]], name: str) -> int | None:
    value = numbers.get(name, {}).get(name)
    return value if isinstance(value, int) else None

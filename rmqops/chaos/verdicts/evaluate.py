"""From a history to its verdicts: every check, their counts, and the word for the drill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rmqops.chaos.history import fault_records
from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.lines import MalformedHistory, readable
from rmqops.chaos.history.reader import History, open_history
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.checks import Check, discover
from rmqops.chaos.verdicts.verdict import CheckResult, Counts, Number, Verdict, Verdicts, overall


def evaluate(history_path: Path, bounds: Bounds | None = None) -> Verdicts:
    """Judge a drill by its history alone.

    An empty history or a malformed line makes the whole inconclusive; faults that were not healed are still told.

    Raises:
        UsageError: there is no history.
        OperationFailed: the machine ran out of memory or room.
    """
    chosen = bounds or Bounds()
    try:
        with open_history(history_path) as history:
            ran = [_run(name, check, history, chosen) for name, check in discover().items()]
            results = tuple(result for result in ran if result is not None)
            counts = _counts(history, results)
            return _verdicts(results, counts, fault_records.faults(history.of("fault", "heal")), history.notes)
    except MalformedHistory as error:
        result = CheckResult("history", Verdict.INCONCLUSIVE, error.message, {"malformed_line": error.line})
        struck = fault_records.faults(event for event in readable(history_path) if event.op in ("fault", "heal"))
        return _verdicts((result,), Counts(), struck, ())


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

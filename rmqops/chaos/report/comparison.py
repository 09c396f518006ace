"""Several runs side by side. PURE."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rmqops.chaos.report.result import Result
from rmqops.chaos.verdicts.verdict import Number, Verdict


@dataclass(frozen=True)
class RunRow:
    """One run; times in ms, None where there was none."""

    run: str
    drill: str
    version: str | None
    driver: str | None
    """Whose view the times are; None where a run did not say."""
    verdict: str
    not_passed: tuple[str, ...]
    acknowledged: int
    lost: int | None
    rto_ms: float | None
    new_master_ms: float | None
    """Until every NameServer named the new master."""
    end_to_end_p99_ms: float | None
    """Of the messages sent while a fault was in force."""


@dataclass(frozen=True)
class RtoSpread:
    """All runs of one drill through one client: another one sees another outage."""

    drill: str
    driver: str | None
    runs: int
    verdicts: dict[str, int]
    lost: int
    """Of those runs that could tell."""
    rto_ms: tuple[float | None, float | None, float | None]
    """The least, the median, the most."""


def rows(results: Mapping[str, Result]) -> list[RunRow]:
    """Return one row for each run, by drill and start."""
    order = sorted(results.items(), key=lambda item: (item[1].drill, item[1].started))
    return [_row(run, result) for run, result in order]


def spreads(results: Iterable[Result]) -> list[RtoSpread]:
    """Return one spread for each drill and client."""
    drills: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        drills.setdefault((result.drill, result.client.get("driver", "")), []).append(result)
    return [_spread(drill, driver or None, results) for (drill, driver), results in sorted(drills.items())]


def _row(run: str, result: Result) -> RunRow:
    verdicts = result.verdicts
    numbers: Mapping[str, Number] = {}
    for check in verdicts.results:
        numbers = check.numbers if check.name == "availability" else numbers
    return RunRow(
        run=run,
        drill=result.drill,
        version=result.version,
        driver=result.client.get("driver"),
        verdict=result.verdict.value,
        not_passed=tuple(check.name for check in verdicts.results if check.verdict is not Verdict.PASS),
        acknowledged=verdicts.counts.acknowledged,
        lost=verdicts.counts.lost,
        rto_ms=verdicts.counts.rto_ms,
        new_master_ms=_time(numbers, "new_master_all_ms"),
        end_to_end_p99_ms=_time(numbers, "during_end_to_end_p99_ms"),
    )


def _time(numbers: Mapping[str, Number], name: str) -> float | None:
    value = numbers.get(name)
    return float(value) if isinstance(value, int | float) else None


def _spread(drill: str, driver: str | None, results: list[Result]) -> RtoSpread:
    times = [result.verdicts.counts.rto_ms for result in results if result.verdicts.counts.rto_ms is not None]
    return RtoSpread(
        drill,
        driver,
        len(results),
        dict(Counter(result.verdict.value for result in results)),
        sum(result.verdicts.counts.lost or 0 for result in results),
        (min(times), statistics.median(times), max(times)) if times else (None, None, None),
    )

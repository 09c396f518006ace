"""How a report says things: the sentence under the verdict, the steps of an RTO, figures with units. PURE."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from rmqops.chaos.report.result import Result
from rmqops.chaos.verdicts.units import Unit, parts, unit_of, without_unit
from rmqops.chaos.verdicts.verdict import CheckResult, Number, Verdict

UNKNOWN = "\N{EM DASH}"
"""Stands where a figure was not measured; never a zero."""

AVAILABILITY = "availability"

RTO_STEPS = (
    ("route_lost_all_ms", "route lost", "every NameServer has dropped the old master"),
    ("new_master_all_ms", "new master", "every NameServer names the new one"),
    ("first_acknowledged_ms", "first acknowledged", "one send got through"),
    ("sustained_ms", "sustained", "from here on no send went wrong"),
)
"""The parts of an RTO: the number of the check ``availability``, its name, and what it means."""

SIGNS = {
    Verdict.PASS: "\N{CHECK MARK}",
    Verdict.FAIL: "\N{MULTIPLICATION X}",
    Verdict.INCONCLUSIVE: "?",
    Verdict.HEAL_FAILED: "!",
}
"""A sign beside each verdict's colour, so that nobody has to tell colors apart."""

ORDER = (Verdict.FAIL, Verdict.HEAL_FAILED, Verdict.INCONCLUSIVE, Verdict.PASS)
"""The order in which checks are told: what decides first."""


@dataclass(frozen=True, slots=True)
class RtoStep:
    """One part of an RTO: when it was reached and when the part before it was, in milliseconds from the fault.

    ``at`` is None when it was not reached.
    """

    label: str
    meaning: str
    at: float | None
    since: float = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the counts of the contract and what it means; None when the read-back could not tell."""

    name: str
    value: int | None
    meaning: str
    bad: bool = False
    outcome: str = ""
    """The type of a send's outcome that it counts; empty for what was read back."""


def reason(result: Result) -> str:
    """Say in one sentence why the verdict is what it is: the checks that decided it, else the drill's own note."""
    word = result.verdict
    if word is Verdict.PASS:
        return _success(result)
    if word is Verdict.HEAL_FAILED:
        return "A fault may still be in force: the cluster was not seen to be healthy again."
    deciding = [check for check in result.verdicts.results if check.verdict is word]
    if not deciding:
        notes = result.verdicts.notes
        return sentence(notes[-1]) if notes else "Nothing was judged, so nothing is proven."
    return sentence(deciding[0].summary) + _others(deciding[1:])


def _success(result: Result) -> str:
    counts = result.verdicts.counts
    kept = f"{counts.acknowledged:,} messages were acknowledged"
    if counts.lost == 0:
        kept = f"All {counts.acknowledged:,} acknowledged messages were read back"
    if counts.rto_ms is None:
        return f"{kept}."
    return f"{kept}; sends worked again for good {duration(counts.rto_ms)} after the fault."


def _others(checks: Iterable[CheckResult]) -> str:
    names = [check.name for check in checks]
    return f" The same verdict on: {', '.join(names)}." if names else ""


def sentence(text: str) -> str:
    """Write a finding with a capital letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def figures(result: Result) -> tuple[Figure, ...]:
    """Return the seven counts: three of what senders were told, four of what was read back."""
    counts = result.verdicts.counts
    return (
        Figure("acknowledged", counts.acknowledged, "the broker said: stored", outcome="ok"),
        Figure("refused", counts.refused, "certainly not stored", outcome="fail"),
        Figure("indeterminate", counts.indeterminate, "nobody could tell the sender", outcome="info"),
        Figure("lost", counts.lost, "acknowledged, and not found", bad=bool(counts.lost)),
        Figure("recovered", counts.recovered, "indeterminate, and found stored"),
        Figure("duplicated", counts.duplicated, "stored more than once"),
        Figure("unexpected", counts.unexpected, "read, yet never sent or refused", bad=bool(counts.unexpected)),
    )


def rto_steps(result: Result) -> tuple[RtoStep, ...]:
    """Return the parts of the RTO in the order of the contract; empty when availability was not measured."""
    numbers = next((check.numbers for check in result.verdicts.results if check.name == AVAILABILITY), {})
    steps = []
    before = 0.0
    for name, label, meaning in RTO_STEPS:
        at = _milliseconds(numbers.get(name))
        steps.append(RtoStep(label, meaning, at, before if at is None else min(before, at)))
        before = max(before, at or 0)
    return tuple(steps) if before else ()


def _milliseconds(value: Number) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def duration(milliseconds: float | None) -> str:
    """Write a time with the unit a reader would choose: ``320 ms``, ``5.21 s``, ``2 min 5 s``."""
    if milliseconds is None:
        return UNKNOWN
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1000:.{2 if milliseconds < 9995 else 1}f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def second(t: float | None) -> str:
    """Write a moment of the drill in seconds since its start."""
    return UNKNOWN if t is None else f"{t:.3f} s"


def number(name: str, value: Number) -> str:
    """Write a check's figure with the unit that its name tells (``verdicts.units``)."""
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return value
    unit = unit_of(name)
    if unit is Unit.MILLISECONDS:
        return duration(float(value))
    broken = isinstance(value, float) and not value.is_integer()
    text = f"{value:,.3f}".rstrip("0") if broken else f"{value:,.0f}"
    return f"{text} {unit.value}".rstrip()


def label(name: str) -> str:
    """Turn the name of a figure, ``route_lost_ms.namesrv-1``, into words; the unit goes with the value."""
    figure, thing = parts(name)
    text = without_unit(figure).replace("_", " ")
    if thing is None:
        return text
    return f"{thing}, {text}" if name.startswith(f"{thing}.") else f"{text}, {thing}"


def length(result: Result) -> float | None:
    """Return how long the drill took in seconds, None when its times are not ISO 8601."""
    started, ended = utc(result.started), utc(result.ended)
    return None if started is None or ended is None else (ended - started).total_seconds()


def utc(text: str) -> datetime | None:
    """Read a time of ``result.json``, which is UTC; None when it is not ISO 8601."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def clock(text: str) -> str:
    """Write a time of ``result.json`` for people, to the second; as it is when it is not ISO 8601."""
    read = utc(text)
    return text if read is None else f"{read:%Y-%m-%d %H:%M:%S} UTC"

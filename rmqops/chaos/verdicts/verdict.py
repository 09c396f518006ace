"""What a drill has proven: the words, the result of one check, and the verdict over all of them. PURE.

Three words judge a check: ``pass``, ``fail`` and ``inconclusive``. ``fail`` outranks ``inconclusive``, which
outranks ``pass``: a message that is lost is lost, whatever else could not be judged, and what was not judged is
never a pass.

A heal that failed is no finding about the cluster but a state the operator must mend now, so it is carried beside:
``Verdicts.heal_failed`` always says it. It becomes the word ``heal-failed`` for the whole drill unless a check
failed, because the drill's word must never hide a fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rmqops.chaos.history.fault_records import FaultRecord

EVIDENCE_LIMIT = 20
"""How many items of evidence a check keeps; its numbers hold the full count."""

Number = int | float | str | None
"""A figure of a check; None where it was not reached or not measured."""


class Verdict(StrEnum):
    """The words of ``result.json``; each is its own JSON value."""

    PASS = "pass"  # noqa: S105 - the word of the contract, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    HEAL_FAILED = "heal-failed"

    @property
    def exit_code(self) -> int:
        """Return the exit code of the contract (``docs/verdicts.md``)."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 6, Verdict.HEAL_FAILED: 7}[self]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One finding: mostly a message, its story and its places.

    ``process`` sent it, at ``t``; ``ended`` is when the answer came; both are seconds since the drill's start.
    ``broker`` (the group), ``queue`` and ``offset`` are where ``address`` said that it put the message. ``found``
    and ``missing`` name who read it, with the place, and who should have read it and did not.
    """

    note: str
    key: str | None = None
    process: str | None = None
    t: float | None = None
    ended: float | None = None
    topic: str | None = None
    broker: str | None = None
    queue: int | None = None
    offset: int | None = None
    address: str | None = None
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The judgement of one check; ``summary`` is one sentence with the deciding figure in it."""

    name: str
    verdict: Verdict
    summary: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of the contract; each send is one of the first three.

    ``lost`` to ``unexpected`` are None when the read-back could not tell. ``rto_ms`` is the longest time from a
    fault to the first sustained success, None when there was none.
    """

    acknowledged: int = 0
    refused: int = 0
    indeterminate: int = 0
    lost: int | None = None
    recovered: int | None = None
    duplicated: int | None = None
    unexpected: int | None = None
    rto_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Everything that a history proves."""

    overall: Verdict
    results: tuple[CheckResult, ...]
    counts: Counts
    faults: tuple[FaultRecord, ...] = ()
    heal_failed: bool = False
    notes: tuple[str, ...] = ()
    """What the reader should know of the history itself, such as a torn last line."""


def overall(results: Iterable[CheckResult], *, heal_failed: bool) -> Verdict:
    """Return the word for the whole drill: fail, then heal-failed, then inconclusive, then pass.

    No results at all are inconclusive: nothing was judged.
    """
    words = {result.verdict for result in results}
    if Verdict.FAIL in words:
        return Verdict.FAIL
    if heal_failed:
        return Verdict.HEAL_FAILED
    return Verdict.PASS if words == {Verdict.PASS} else Verdict.INCONCLUSIVE

"""Several drills in a row, each for a claim: what is asked, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from rmqops.chaos.drill import document, shipped_files
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.errors import EXIT_INTERRUPTED, PreflightFailed, UsageError
from rmqops.model.strict import StrictModel

Text = Annotated[str, Field(min_length=1)]


class Claim(StrictModel):
    """A claim, and the drill that shows whether it is true."""

    row: Text
    claim: Text
    drill: Text
    release: Text | None = None
    """The claim is about this release alone."""
    check: Text | None = None
    """The check whose finding says most about the claim; none where it is the verdict's own reason."""


class Suite(StrictModel):
    """Claims in the order in which they are tried."""

    name: Text
    description: Text
    rows: tuple[Claim, ...] = Field(min_length=1)

    def only(self, names: Collection[str] | None) -> Suite:
        """Return the suite with some of its rows; all when none is named.

        Raises:
            UsageError: there is no such row.
        """
        known = dict.fromkeys(row.row for row in self.rows)
        for name in names or ():
            if name not in known:
                raise UsageError(
                    f"the suite {self.name} has no row {name!r}", remedy=f"use one of {', '.join(known)}"
                )
        return self.model_copy(update={"rows": tuple(row for row in self.rows if not names or row.row in names)})


@dataclass(frozen=True)
class ClaimOutcome:
    """What became of one claim."""

    row: Claim
    verdict: Verdict | None
    """None when it was not tried."""
    measured: str
    """What was seen, or why it was not tried."""
    run: str | None = None
    """The run's directory."""
    cluster: str | None = None
    """On which it was tried."""
    interrupted: bool = False
    """Somebody ended its drill, and the suite with it."""

    def document(self) -> dict[str, object]:
        """Return it as ``rmqops chaos suite --json`` prints it."""
        verdict = None if self.verdict is None else self.verdict.value
        outcome = {"verdict": verdict, "measured": self.measured, "run": self.run, "cluster": self.cluster}
        return {**self.row.model_dump(exclude_none=True), **outcome}


def names() -> tuple[str, ...]:
    """Return the name of every suite."""
    return shipped_files.names("suite/suites")


def find(name: str) -> Suite:
    """Return a suite.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in names():
        raise UsageError(f"there is no suite {name!r}", remedy=f"use one of {', '.join(names())}")
    suite = document(shipped_files.text("suite/suites", name), f"{name}.yml")
    return Suite.model_validate_json(json.dumps(suite))


def exit_code(outcomes: Iterable[ClaimOutcome]) -> int:
    """Return the exit code of a suite: that of the worst verdict, as in a drill; 4 when nothing could be tried."""
    outcomes = tuple(outcomes)
    words = {outcome.verdict for outcome in outcomes}
    if any(outcome.interrupted for outcome in outcomes) and Verdict.HEAL_FAILED not in words:
        return EXIT_INTERRUPTED
    for word in (Verdict.FAIL, Verdict.HEAL_FAILED, Verdict.INCONCLUSIVE, Verdict.PASS):
        if word in words:
            return word.exit_code
    return PreflightFailed.exit_code

"""Indeterminate sends that turned out stored: counted, and never a fault.

Their clients were told nothing, so both outcomes are right. The count says how often a client that sends
again after such an answer makes a duplicate.
"""

from __future__ import annotations

from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, indeterminate_evidence, not_drained
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict

FOUND = """
    select k from doubtful semi join stored using (k) where outcome = 'indeterminate' order by invoked, k
"""


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Count the indeterminate sends that are stored."""
    total = history.number("select count(*) from message where outcome = 'indeterminate'")
    stored = history.keys(FOUND)
    undrained = history.undrained
    numbers = {"indeterminate": total, "recovered": None if undrained else len(stored)}
    if undrained:
        text = not_drained(undrained)
        return CheckResult("recovered", Verdict.INCONCLUSIVE, text, numbers)
    text = f"{len(stored):,} of {count(total, 'indeterminate send')} found stored"
    return CheckResult(
        "recovered", Verdict.PASS, text, numbers, indeterminate_evidence(history, "found stored", stored)
    )

"""Indeterminate sends that turned out stored: counted, and never a fault.

Their clients were told nothing, so both outcomes are right. The count says how often a client that sends again after
such an answer makes a duplicate.
"""

from __future__ import annotations

from rmqops.chaos.evidence import count, indeterminate
from rmqops.chaos.history import History
from rmqops.chaos.settings import Settings
from rmqops.chaos.verdict import CheckResult, Verdict

FOUND = """
    select k from doubtful semi join stored using (k) where acks = 0 and outcome = 4 order by invoked
"""


def check(history: History, _settings: Settings) -> CheckResult:
    """Count the indeterminate sends that are stored."""
    total = history.number("select count(*) from message where outcome = 4")
    found = [int(str(key)) for (key,) in history.query(FOUND)]
    undrained = history.undrained
    numbers = {"indeterminate": total, "recovered": None if undrained else len(found)}
    if undrained:
        text = f"not read back to the end: {', '.join(undrained[:8])}"
        return CheckResult("recovered", Verdict.INCONCLUSIVE, text, numbers)
    text = f"{len(found):,} of {count(total, 'indeterminate send')} found stored"
    return CheckResult("recovered", Verdict.PASS, text, numbers, indeterminate(history, "found stored", found))

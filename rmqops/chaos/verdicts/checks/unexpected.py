"""Messages that must not be there: read though nobody sent them, or stored though the broker refused them.

Either way somebody lied. A refusal means *certainly not stored* (``SYSTEM_BUSY`` and
``SERVICE_NOT_AVAILABLE`` of ``SendMessageProcessor`` and ``BrokerFastFailure``, 4.5.2); a client that
believes it and sends again elsewhere makes a duplicate that nobody allowed for.
"""

from __future__ import annotations

from rmqops.chaos.history.format import CONSUMED, DRAINED
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence, not_drained
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict

UNSENT = """
    select distinct k from (select k from stored union all select k from seen) anti join message using (k)
    order by k
"""
REFUSED = """
    select k from doubtful where outcome = 'refused' and k in (select k from stored union all select k from seen)
    order by invoked, k
"""


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Judge that all that was read had been sent and not refused."""
    unsent = history.keys(UNSENT)
    refused = history.keys(REFUSED)
    read = history.count(DRAINED, CONSUMED)
    total = len(unsent) + len(refused)
    decided = bool(read) and not history.undrained
    numbers = {
        "unexpected": total if total or decided else None,
        "never_sent": len(unsent),
        "refused_but_stored": len(refused),
    }
    if total:
        text = f"{count(len(unsent), 'message')} read and never sent, {len(refused):,} refused and yet stored"
        evidence = (
            *message_evidence(history, "read, and nobody sent it", unsent),
            *message_evidence(history, "refused by the broker, and yet stored", refused),
        )
        return CheckResult("unexpected", Verdict.FAIL, text, numbers, evidence)
    if not decided:
        text = not_drained(history.undrained) if read else "nothing was read"
        return CheckResult("unexpected", Verdict.INCONCLUSIVE, text, numbers)
    return CheckResult("unexpected", Verdict.PASS, f"all {read:,} reads are of messages that were sent", numbers)

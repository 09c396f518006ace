"""The history itself can be believed: each outcome follows its own send, and each send has at most one.

What is wrong here is the recorder's fault, not the cluster's, so it makes the drill inconclusive and never
fails it. An invoke that nothing follows is right: its process was killed, and the send is indeterminate.
"""

from __future__ import annotations

from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict

ODD = """
    select k from message where outcomes > attempts or invoked is null or ended < invoked
    order by coalesce(invoked, ended), k
"""


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Judge that sends and outcomes belong together."""
    odd = history.keys(ODD)
    numbers = {
        "lines": history.count(),
        "sends": history.number("select count(*) from message"),
        "unanswered": history.number("select count(*) from message where outcomes < attempts"),
        "outcomes_without_send": len(odd),
    }
    if odd:
        text = f"{count(len(odd), 'send')} with an outcome that does not belong to it"
        evidence = message_evidence(history, "its outcome has no send before it, or it has two", odd)
        return CheckResult("history", Verdict.INCONCLUSIVE, text, numbers, evidence)
    if not numbers["sends"]:
        return CheckResult("history", Verdict.INCONCLUSIVE, "nothing was sent", numbers)
    return CheckResult("history", Verdict.PASS, f"{numbers['lines']:,} lines belong together", numbers)

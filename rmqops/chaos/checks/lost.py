"""Acknowledged messages that are nowhere.

A message is lost when its send was acknowledged and no member holds it, although every read-back of its queue reached
the queue's end. A read-back that did not reach the end decides nothing: what it lacks is *undecided*. (A peer of ours
reported 76 lost messages that were all there, because it stopped reading after a fixed time.) A message that only one
member lacks is not lost; ``replicas`` fails for it.

A message that a consumer has read and that nobody holds any more has *vanished*: it was committed, and is gone. That
fails too, acknowledged or not.
"""

from __future__ import annotations

from rmqops.chaos.evidence import count, messages
from rmqops.chaos.history import History
from rmqops.chaos.settings import Settings
from rmqops.chaos.verdict import CheckResult, Verdict

ABSENT = """
    select m.k, bool_and(coalesce(c.complete, false)) as decided
    from (select k, q, invoked from doubtful where acks > 0 anti join stored using (k)) m
        left join complete c on m.q = c.q
    group by m.k, m.invoked order by m.invoked
"""
VANISHED = """
    select s.k, bool_and(coalesce(c.complete, false)) as decided
    from (select k, q, min(line) as line from seen anti join stored using (k) group by k, q) s
        semi join (select k from doubtful where acks = 0) m on s.k = m.k
        left join complete c on s.q = c.q
    group by s.k, s.line order by s.line
"""


def check(history: History, _settings: Settings) -> CheckResult:
    """Judge that every acknowledged message is still there."""
    acknowledged = history.number("select count(*) from message where acks > 0")
    absent = history.query(ABSENT)
    vanished = history.query(VANISHED)
    lost = [int(str(key)) for key, decided in absent if decided]
    gone = [int(str(key)) for key, decided in vanished if decided]
    undecided = len(absent) + len(vanished) - len(lost) - len(gone)
    undrained = history.undrained
    numbers = {
        "acknowledged": acknowledged,
        "lost": None if undecided or undrained or not acknowledged else len(lost),
        "vanished": len(gone),
        "undecided": undecided,
        "undrained_queues": len(undrained),
    }
    if lost or gone:
        numbers["lost"] = len(lost)
        evidence = (
            *messages(history, "acknowledged, and no member holds it", lost),
            *messages(history, "read by a consumer, and no member holds it any more", gone),
        )
        text = f"{count(len(lost), 'acknowledged message')} of {acknowledged:,} lost"
        return CheckResult(
            "lost",
            Verdict.FAIL,
            f"{text}, {len(gone):,} more read and vanished" if gone else text,
            numbers,
            evidence,
        )
    if not acknowledged:
        return CheckResult("lost", Verdict.INCONCLUSIVE, "no message was acknowledged", numbers)
    if undrained:
        text = f"not read back to the end: {', '.join(undrained[:8])}"
        return CheckResult("lost", Verdict.INCONCLUSIVE, text, numbers)
    if undecided:
        keys = [int(str(key)) for key, decided in (*absent, *vanished) if not decided]
        text = f"{count(undecided, 'message')} not found, but a member was not read back to its end"
        return CheckResult(
            "lost", Verdict.INCONCLUSIVE, text, numbers, messages(history, "not found, and not decided", keys)
        )
    return CheckResult("lost", Verdict.PASS, f"all {acknowledged:,} acknowledged messages are there", numbers)

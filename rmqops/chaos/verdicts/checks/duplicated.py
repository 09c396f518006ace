"""Messages that are stored more than once.

RocketMQ promises at-least-once, so a send that was tried again, or whose outcome nobody knew (a client inside may
have tried again), may be stored twice: counted, and allowed. A message sent once and acknowledged once has no such
excuse: that is a fail.

A copy is a place: group, queue and offset. Members of one group hold the same places, so copies are counted
in each member, the greatest count stands for the group, and the groups are added.
"""

from __future__ import annotations

from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence, not_drained
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict

COPIES = """
    with place as (
        select k, p, q, o from stored
        union
        select m.k, d.p, m.q, m.o from message m semi join stored using (k) anti join doubtful using (k)
            join (select distinct p, q from drain) d on d.q = m.q
    ),
    owner as (select p, q, any_value(broker) as broker from drain group by p, q),
    held as (
        select place.k, owner.broker, count(*) as n
        from place join owner on place.p = owner.p and place.q = owner.q
        group by place.k, place.p, owner.broker
    ),
    most as (select k, broker, max(n) as n from held group by all),
    copies as (select k, sum(n) as n from most group by k having sum(n) > 1)
    select c.k,
        coalesce(m.attempts > 1 or m.outcome = 'indeterminate' or m.k in (select k from retried), true) as excused
    from copies c left join message m on c.k = m.k order by m.invoked, c.k
"""


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Judge that nothing is stored twice without an excuse."""
    excused, guilty = history.sorted_keys(COPIES)
    undrained = history.undrained
    numbers = {
        "duplicated": None if undrained and not guilty else len(excused) + len(guilty),
        "excused": len(excused),
        "unexcused": len(guilty),
    }
    if guilty:
        text = f"{count(len(guilty), 'message')} sent once, acknowledged once, and stored more than once"
        evidence = message_evidence(history, "stored more than once though it was never sent again", guilty)
        return CheckResult("duplicated", Verdict.FAIL, text, numbers, evidence)
    if undrained:
        text = not_drained(undrained)
        return CheckResult("duplicated", Verdict.INCONCLUSIVE, text, numbers)
    evidence = message_evidence(history, "stored more than once after it was sent again", excused)
    text = f"{count(len(excused), 'duplicate')}, of sends tried again or indeterminate" if excused else "none"
    return CheckResult("duplicated", Verdict.PASS, text, numbers, evidence)

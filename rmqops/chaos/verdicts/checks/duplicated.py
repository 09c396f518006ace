"""Messages that are stored more than once.

RocketMQ promises at-least-once, so a send that was tried again after an attempt that may have been stored, or
whose outcome nobody knew (a client inside may have tried again), may be stored twice: counted, and allowed. An
attempt that was refused is certainly not stored, and excuses nothing; so a message acknowledged once, whose other
attempts were refused, or that had none, has no excuse for a second copy: that is a fail. So has one that a
consumer read at two places, whatever the members hold now.

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
    read as (  -- places at which consumers read a message; its own, where that is settled, is not in seen
        select k, count(distinct (q, o)) as n from (
            select k, q, o from seen
            union all select k, q, o from message semi join seen using (k) anti join doubtful using (k)
        ) group by k
    ),
    copies as (
        select k, max(n) as n from (
            select k, sum(n) as n from most group by k union all select k, n from read
        ) group by k having max(n) > 1
    )
    select c.k,
        coalesce(c.n <= m.storable or m.outcome = 'indeterminate' or m.k in (select k from retried), true)
            as excused
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

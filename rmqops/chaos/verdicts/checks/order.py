"""Order in each queue: a producer's messages stand as it sent them, and a consumer only moves forward.

A producer with several sends under way promises no order among them, so the rule is that of real time: when
one process had A acknowledged before it sent B to the same queue, A stands before B. apache/rocketmq#1397
(4.5.1) is said to break it. A message's place is where it was acknowledged if a member holds it there, else where
it is stored; that the two differ is for ``offsets``, and that members differ for ``replicas``.
"""

from __future__ import annotations

from rmqops.chaos.history.format import CONSUMED
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict

MOVED = """
    create or replace temp table moved as
        select k, any_value(c.p) as p, any_value(c.q) as q, min(s.o) as o
        from claimed c join stored s using (k, q) where c.k in (select k from doubtful where acks = 1)
        group by k having not bool_or(s.o = c.o)
"""
# A pair out of order needs a descent in the acknowledgements of its process and queue, or a message that moved, or
# one that was acknowledged before it was sent, as a history that is wrong may say.
SUSPECTS = """
    create or replace temp table suspect as
        select distinct p, q from (
            select p, q, o, lag(o) over (partition by p, q order by t, o) as earlier from acknowledged
        ) where earlier > o
        union select p, q from moved
        union select p, q from message where acks = 1 and ended < invoked
"""
OVERTAKEN = """
    with message_of as (
        select m.k, m.p, m.q, coalesce(v.o, m.o)::bigint as o, m.invoked, m.ended
        from message m semi join suspect using (p, q) left join moved v on m.k = v.k
        where m.acks = 1 and m.k not in (select k from doubtful anti join stored using (k))
    )
    select k from (
        select k, ended, max(invoked) over (
            partition by p, q order by o range between unbounded preceding and 1 preceding) as later
        from message_of
    ) where later > ended order by ended, k
"""
BACKWARDS = """
    select k from (
        select line, k, o, lag(o) over (partition by p, q order by line) as before from consumed
    ) where before >= o order by line
"""


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Judge the order of what was acknowledged and of what was consumed."""
    history.query(MOVED)
    history.query(SUSPECTS)
    overtaken = history.keys(OVERTAKEN)
    backwards = history.keys(BACKWARDS)
    acknowledged = history.number("select count(*) from message where acks > 0")
    consumed = history.count(CONSUMED)
    numbers = {
        "acknowledged": acknowledged,
        "out_of_order": len(overtaken),
        "consumed": consumed,
        "backwards": len(backwards),
    }
    if overtaken or backwards:
        text = (
            f"{count(len(overtaken), 'message')} stand behind one that was sent after their acknowledgement;"
            f" consumers went backwards {count(len(backwards), 'time')}"
        )
        evidence = (
            *message_evidence(history, "a later message of the same producer stands before it", overtaken),
            *message_evidence(history, "a consumer read it after a later one, or twice", backwards),
        )
        return CheckResult("order", Verdict.FAIL, text, numbers, evidence)
    if not acknowledged:
        return CheckResult("order", Verdict.INCONCLUSIVE, "no message was acknowledged", numbers)
    text = f"{acknowledged:,} acknowledged and {consumed:,} consumed messages in order"
    return CheckResult("order", Verdict.PASS, text, numbers)

"""Order in each queue: messages stand as real time had them, and a consumer only moves forward.

When A was acknowledged before B was sent to the same queue, by whichever producer, A stands before B. Sends that
were under way at once have no order. This is the linearizability of a log: each send takes effect at one moment
between its begin and its acknowledgement. apache/rocketmq#1397 (4.5.1) is said to break it. Producers on several
hosts have clocks that differ, by at most ``bounds.clock_error``, which is allowed for.

A message's place is where it was acknowledged if a member holds it there, else where it is stored; that the two
differ is for ``offsets``, and that members differ for ``replicas``. One whose outcome nobody knew takes part as B
where it was found: it may have been stored late, but not before it was sent.
"""

from __future__ import annotations

from rmqops.chaos.history.format import CONSUMED
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict

# Where each message stands: where it was acknowledged, if a member holds it there; else where it is stored, also
# one of which nobody knew. One that stands at several places, or nowhere, takes no part.
PLACED = """
    create or replace temp table placed as
        select q, o, k, p, invoked, case when acks = 1 then ended end as ended from message
            where acks = 1 and k not in (select k from doubtful)
        union all
        select d.q, d.o, d.k, d.p, d.invoked, case when d.acks = 1 then d.ended end
            from doubtful d semi join stored s on s.k = d.k and s.q = d.q and s.o = d.o where d.acks = 1
        union all
        select s.q, s.o, d.k, d.p, d.invoked, case when d.acks = 1 then d.ended end
            from doubtful d join (
                select k, any_value(q) as q, any_value(o) as o from (select distinct k, q, o from stored)
                group by k having count(*) = 1
            ) s on s.k = d.k
            where d.acks < 2 and not exists (
                select 1 from stored t where t.k = d.k and t.q = d.q and t.o = d.o and d.acks = 1
            )
"""
# By rows, which is quick; two messages at one place may accuse one another, which the next one settles.
SUSPECTS = """
    create or replace temp table suspect as
        select distinct q from (
            select q, ended, max(invoked) over (
                partition by q order by o rows between unbounded preceding and 1 preceding) as later
            from placed
        ) where later > ended + $1::bigint
"""
OVERTAKEN = """
    select k from (
        select k, ended, max(invoked) over (
            partition by q order by o::bigint range between unbounded preceding and 1 preceding) as later
        from placed semi join suspect using (q)
    ) where later > ended + $1::bigint order by ended, k
"""
BACKWARDS = """
    select k from (
        select line, k, o, lag(o) over (partition by p, q order by line) as before from consumed
    ) where before >= o order by line
"""


def check(history: History, bounds: Bounds) -> CheckResult:
    """Judge the order of what was acknowledged and of what was consumed."""
    history.query(PLACED)
    error = round(bounds.clock_error * 1e6)
    history.query(SUSPECTS, [error])
    overtaken = [int(str(row[0])) for row in history.query(OVERTAKEN, [error])]
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
            *message_evidence(history, "one that was sent after its acknowledgement stands before it", overtaken),
            *message_evidence(history, "a consumer read it after a later one, or twice", backwards),
        )
        return CheckResult("order", Verdict.FAIL, text, numbers, evidence)
    if not acknowledged:
        return CheckResult("order", Verdict.INCONCLUSIVE, "no message was acknowledged", numbers)
    text = f"{acknowledged:,} acknowledged and {consumed:,} consumed messages in order"
    return CheckResult("order", Verdict.PASS, text, numbers)

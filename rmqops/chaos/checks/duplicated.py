"""Messages that are stored more than once.

RocketMQ promises at-least-once, so a send that was tried again, or whose outcome nobody knew (a client inside may
have tried again), may be stored twice: counted, and allowed. A message sent once and acknowledged once has no such
excuse: that is a fail.

A copy is a place: group, queue and offset. Members of one group hold the same places, so copies are counted in each
member, the greatest count stands for the group, and the groups are added.
"""

from __future__ import annotations

from rmqops.chaos.evidence import count, messages
from rmqops.chaos.history import History
from rmqops.chaos.settings import Settings
from rmqops.chaos.verdict import CheckResult, Verdict

COPIES = """
    with place as (
        select k, p, q, o from stored
        union
        select m.k, d.p, m.q, m.o from message m semi join stored using (k) anti join doubtful using (k)
            join (select distinct p, q from drain) d on d.q = m.q
    ),
    held as (
        select place.k, d.broker, count(*) as n from place join (select p, q, any_value(broker) as broker
            from drain group by p, q) d on place.p = d.p and place.q = d.q group by place.k, place.p, d.broker
    ),
    copies as (select k, sum(n) as n from (select k, broker, max(n) as n from held group by all) group by k having n > 1),
    again as (
        select k from event where code in (2, 3, 4) and rest is not null
            and try_cast(rest::json ->> '$.value.attempts' as integer) > 1
    )
    select c.k, c.n, coalesce(m.attempts > 1 or m.outcome = 4 or m.k in (select k from again), true) as excused
    from copies c left join message m on c.k = m.k order by m.invoked
"""


def check(history: History, _settings: Settings) -> CheckResult:
    """Judge that nothing is stored twice without an excuse."""
    rows = history.query(COPIES)
    guilty = [int(str(key)) for key, _, excused in rows if not excused]
    excused = [int(str(key)) for key, _, allowed in rows if allowed]
    undrained = history.undrained
    numbers = {
        "duplicated": None if undrained and not guilty else len(rows),
        "excused": len(excused),
        "unexcused": len(guilty),
        "most_copies": max((int(str(number)) for _, number, _ in rows), default=1),
    }
    if guilty:
        text = f"{count(len(guilty), 'message')} sent once, acknowledged once, and stored more than once"
        evidence = messages(history, "stored more than once though it was never sent again", guilty)
        return CheckResult("duplicated", Verdict.FAIL, text, numbers, evidence)
    if undrained:
        text = f"not read back to the end: {', '.join(undrained[:8])}"
        return CheckResult("duplicated", Verdict.INCONCLUSIVE, text, numbers)
    evidence = messages(history, "stored more than once after it was sent again", excused)
    text = f"{count(len(excused), 'duplicate')}, of sends tried again or indeterminate" if excused else "none"
    return CheckResult("duplicated", Verdict.PASS, text, numbers, evidence)

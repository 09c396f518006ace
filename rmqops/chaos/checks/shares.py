"""What share of the acknowledged messages lies on each broker group, and on each of its queues.

It is measured and not judged: a group without a master takes nothing meanwhile, so a drill that strikes brokers
moves the shares, and by key they are what the keys make of them. That the choice itself is even is tested where
nothing fails (``tests/remoting/test_members.py``). Left out where one group was
read back.
"""

from __future__ import annotations

from typing import cast

from rmqops.chaos.evidence import count
from rmqops.chaos.history import History
from rmqops.chaos.settings import Settings
from rmqops.chaos.verdict import CheckResult, Number, Verdict

# A queue of which no member was read back has no name here; its messages are counted as such.
TAKEN = """
    with queue as (select q, any_value(broker) as broker from drain group by q),
        taken as (select q, count(*) as n from acknowledged group by q)
    select broker, coalesce(sum(n), 0)::bigint, count(*), min(coalesce(n, 0)), max(coalesce(n, 0))
    from queue full join taken using (q) group by broker order by broker nulls last
"""


def check(history: History, _settings: Settings) -> CheckResult | None:
    """Measure the share of each group."""
    rows = [cast(tuple[str | None, int, int, int, int], row) for row in history.query(TAKEN)]
    groups = [row for row in rows if row[0] is not None]
    if len(groups) < 2:
        return None
    total = sum(row[1] for row in rows)
    numbers: dict[str, Number] = {"groups": len(groups), "acknowledged": total}
    if not total:
        return CheckResult("shares", Verdict.INCONCLUSIVE, "no message was acknowledged", numbers)
    for broker, taken, queues, least, most in groups:
        numbers |= {
            f"{broker}.acknowledged": taken,
            f"{broker}.percent": round(100 * taken / total, 3),
            f"{broker}.queues": queues,
            f"{broker}.least_in_a_queue": least,
            f"{broker}.most_in_a_queue": most,
        }
    shares = ", ".join(f"{broker} {100 * taken / total:.1f} %" for broker, taken, *_ in groups)
    unnamed = sum(row[1] for row in rows if row[0] is None)
    if unnamed:
        text = f"{count(unnamed, 'message')} of {total:,} in queues that nobody read back; {shares}"
        return CheckResult("shares", Verdict.INCONCLUSIVE, text, numbers)
    return CheckResult("shares", Verdict.PASS, f"of {count(total, 'acknowledged message')}: {shares}", numbers)

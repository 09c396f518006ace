"""What share of the acknowledged messages lies on each broker group, and on each of its queues.

It is measured, and judged only where the drill says how far a share may be from an equal one (``limits.uneven``):
a group without a master takes nothing meanwhile, so a drill that strikes brokers moves the shares, and by key they
are what the keys make of them. Left out where one group was read back.
"""

from __future__ import annotations

from typing import cast

from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count
from rmqops.chaos.verdicts.units import of_each
from rmqops.chaos.verdicts.verdict import CheckResult, Number, Verdict

# A queue of which no member was read back has no name here; its messages are counted as such.
TAKEN = """
    with queue as (select q, any_value(broker) as broker from drain group by q),
        taken as (select q, count(*) as n from acknowledged group by q)
    select broker, coalesce(sum(n), 0)::bigint, count(*), min(coalesce(n, 0)), max(coalesce(n, 0))
    from queue full join taken using (q) group by broker order by broker nulls last
"""


def check(history: History, bounds: Bounds) -> CheckResult | None:
    """Measure the share of each group, and judge that they are even where they must be."""
    rows = [cast(tuple[str | None, int, int, int, int], row) for row in history.query(TAKEN)]
    groups = [(row[0], *row[1:]) for row in rows if row[0] is not None]
    if len(groups) < 2 and not bounds.uneven_limit:
        return None
    total = sum(row[1] for row in rows)
    numbers: dict[str, Number] = {"groups": len(groups), "acknowledged": total}
    if not total or not groups:
        return CheckResult("shares", Verdict.INCONCLUSIVE, "no message was acknowledged", numbers)
    uneven = max(abs(100 * len(groups) * acknowledged / total - 100) for _, acknowledged, *_ in groups)
    numbers["uneven_percent"] = round(uneven, 3)
    for broker, acknowledged, queues, least, most in groups:
        numbers |= {
            of_each(broker, "acknowledged"): acknowledged,
            of_each(broker, "percent"): round(100 * acknowledged / total, 3),
            of_each(broker, "queues"): queues,
            of_each(broker, "least_in_a_queue"): least,
            of_each(broker, "most_in_a_queue"): most,
        }
    shares = ", ".join(f"{broker} {100 * acknowledged / total:.1f} %" for broker, acknowledged, *_ in groups)
    unnamed = sum(row[1] for row in rows if row[0] is None)
    if unnamed:
        text = f"{count(unnamed, 'message')} of {total:,} in queues that nobody read back; {shares}"
        return CheckResult("shares", Verdict.INCONCLUSIVE, text, numbers)
    text = f"of {count(total, 'acknowledged message')}: {shares}"
    if len(groups) < 2:
        return CheckResult("shares", Verdict.INCONCLUSIVE, f"{text}; there is nobody to share with", numbers)
    if bounds.uneven_limit and uneven > bounds.uneven_limit:
        text = f"{text}; {uneven:.1f} % beside an equal share, where {bounds.uneven_limit:g} % are allowed"
        return CheckResult("shares", Verdict.FAIL, text, numbers)
    return CheckResult("shares", Verdict.PASS, text, numbers)

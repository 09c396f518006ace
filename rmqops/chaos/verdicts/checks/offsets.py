"""One message, one offset: what stands at an offset of a queue never changes.

Over all acknowledgements, consumers and members, and over time: no two keys at one place, and an acknowledged
message is stored where its acknowledgement said. A leader that cut its followers' logs (apache/rocketmq#2178)
breaks this: the offsets are given out a second time.
"""

from __future__ import annotations

from typing import cast

from rmqops.chaos.history.format import ACKNOWLEDGED
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict

SHARED = """
    select list_sort(list(distinct k))
    from (select q, o, k from claimed union all select q, o, k from stored union all select q, o, k from seen)
    group by q, o having min(k) <> max(k) order by q, o
"""
DISPLACED = """
    select distinct c.k from claimed c semi join stored on c.k = stored.k
        anti join stored s on c.k = s.k and c.q = s.q and c.o = s.o order by c.k
"""


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Judge that every place has one message and every acknowledged message its place."""
    shared = [cast("list[int]", row[0]) for row in history.query(SHARED)]
    displaced = history.keys(DISPLACED)
    places = history.count(ACKNOWLEDGED)
    numbers = {
        "acknowledgements": places,
        "places_with_two_messages": len(shared),
        "displaced": len(displaced),
    }
    if shared or displaced:
        keys = dict.fromkeys(key for keys in shared for key in keys)
        only_displaced = [key for key in displaced if key not in keys]
        evidence = (
            *message_evidence(history, "shares its place with another message", keys),
            *message_evidence(history, "not stored where it was acknowledged", only_displaced),
        )
        text = (
            f"{count(len(shared), 'place')} with two messages,"
            f" {count(len(displaced), 'message')} elsewhere than acknowledged"
        )
        return CheckResult("offsets", Verdict.FAIL, text, numbers, evidence)
    if not places or not history.drains:
        text = "nothing was acknowledged" if history.drains else "nothing was read back"
        return CheckResult("offsets", Verdict.INCONCLUSIVE, text, numbers)
    return CheckResult(
        "offsets", Verdict.PASS, f"each of {places:,} acknowledged places holds its message", numbers
    )

"""That all messages of one key lie in one queue, where producers choose the queue by key and messages share keys.

A producer chooses among the queues of its route (``SelectMessageQueueByHash``). A group without a master takes no
part in it meanwhile, and the keys are spread anew; so it is judged where no broker was struck, else measured. That
the messages stand in a queue as they were sent is for ``order``. Left out where each message has a key of its own.
"""

from __future__ import annotations

from typing import cast

from rmqops.chaos.history.reader import History
from rmqops.chaos.load.clients.settings import NUMBER_OF_KEY
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Verdict

# Messages have their shared keys by turns (rmqops.chaos.load.clients.settings.shared_key): the number says which.
PLACES = f"""
    select topic, regexp_extract(key, '{NUMBER_OF_KEY}', 1)::bigint % $1::bigint as shared, count(*),
        list_sort(list(distinct broker || '/' || queue))
    from message_line where op = 'send' and type = 'ok' group by topic, shared order by topic, shared
"""  # noqa: S608 - a constant


def check(history: History, bounds: Bounds) -> CheckResult | None:
    """Judge in how many queues the messages of each key lie."""
    if not bounds.keys:
        return None
    rows = [cast(tuple[str, int, int, list[str]], row) for row in history.query(PLACES, [bounds.keys])]
    moved = [row for row in rows if len(row[3]) > 1]
    queues = {(topic, place) for topic, _, _, places in rows for place in places}
    numbers = {
        "keys": len(rows),
        "acknowledged": sum(row[2] for row in rows),
        "queues": len(queues),
        "keys_in_several_queues": len(moved),
    }
    if not rows:
        return CheckResult("keys", Verdict.INCONCLUSIVE, "no message was acknowledged", numbers)
    text = f"{count(len(rows), 'key')} in {count(len(queues), 'queue')}"
    if not moved:
        return CheckResult("keys", Verdict.PASS, f"{text}, each in one", numbers)
    text = f"{text}, {count(len(moved), 'key')} in more than one"
    if any(event.broker for event in history.of("fault")):
        return CheckResult("keys", Verdict.PASS, f"{text}; a broker was struck, so the route changed", numbers)
    evidence = tuple(
        Evidence(f"{number} messages of key {shared} of {topic} lie in {', '.join(places)}")
        for topic, shared, number, places in moved[:EVIDENCE_LIMIT]
    )
    return CheckResult("keys", Verdict.FAIL, text, numbers, evidence)

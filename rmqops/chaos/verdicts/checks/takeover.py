"""How soon the members of a consumer group take over the queues of one that the drill killed.

A broker sees the connection close, tells the others, and they share the queues anew; where it does not see that,
or they are not told, they do so every 20 s (``RebalanceService``). Judged for each queue of which the dead member
was the last to read; it is taken over when another member, or the new life in the dead one's place, reads it. Left
out where no member of a group was killed: a native consumer is a member of none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.message_stories import count
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Verdict
from rmqops.model.history import Event

MEMBERS = "members"
"""In the value of a fault: the other members of the dead one's group, by name, with commas."""
LIVES = 32
"""A member that is given a queue again has another name (``load.clients.java``); so many are known."""

# $1 the dead one's names, $2 the others', $3 when it died, in µs
TAKEN = """
    with dead as (select (hash(unnest($1::varchar[])) >> 32)::uinteger as p),
        others as (select (hash(unnest($2::varchar[])) >> 32)::uinteger as p),
        theirs as (
            select q, t, p in (select p from dead) as died from consumed
            where p in (select p from dead union select p from others)
        ),
        held as (select q from theirs where t <= $3 group by q having arg_max(died, t))
    select q, min(t) filter (not died and t > $3) - $3 as took from theirs semi join held using (q)
    group by q order by took
"""


def check(history: History, _settings: Bounds) -> CheckResult | None:
    """Measure when each queue of each dead member was read again."""
    struck = [
        (event, list(_queues(history, event)))
        for event in history.of("fault")
        if event.type == "ok" and event.value and MEMBERS in event.value
    ]
    if not any(queues for _, queues in struck):
        return None
    took = [one for _, queues in struck for one in queues if one is not None]
    left = [event for event, queues in struck for one in queues if one is None]
    numbers = {
        "queues": len(took) + len(left),
        "taken": len(took),
        "first_ms": round(min(took), 3) if took else None,
        "last_ms": round(max(took), 3) if took else None,
    }
    if left:
        text = f"{count(len(left), 'queue')} of a dead consumer: not read again before the drill ended"
        return CheckResult("takeover", Verdict.INCONCLUSIVE, text, numbers, _evidence(left))
    text = f"{count(len(took), 'queue')} of dead consumers taken over within {max(took):,.0f} ms"
    return CheckResult("takeover", Verdict.PASS, text, numbers)


def _queues(history: History, event: Event) -> Iterator[float | None]:
    """Yield for each queue of a dead member the milliseconds until another read it; None if nobody did."""
    value = event.value or {}
    name = value["instance"]
    place = "-".join(name.split("-")[:2])
    others = [each for each in value[MEMBERS].split(",") if each]
    successors = [f"{place}-{life}" for life in range(2, LIVES) if f"{place}-{life}" != name]
    asked = [_names([name]), _names([*others, *successors]), round(event.t * 1e6)]
    for _, microseconds in history.query(TAKEN, asked):
        yield None if microseconds is None else float(str(microseconds)) / 1000


def _names(names: Sequence[str]) -> list[str]:
    return [*names, *(f"{name}.{life}" for name in names for life in range(2, LIVES))]


def _evidence(left: Sequence[Event]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            f"a queue of {(event.value or {})['instance']} was not read again", process=event.process, t=event.t
        )
        for event in left[:EVIDENCE_LIMIT]
    )

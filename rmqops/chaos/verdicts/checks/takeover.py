"""How soon the members of a consumer group take over the queues of one that the drill killed.

A broker sees the connection close, tells the others, and they share the queues anew; where it does not see that,
or they are not told, they do so every 20 s (``RebalanceService``). Judged for each queue of which the dead member
was the last to read when the kill was given, for another one may read it before the kill is seen to have taken
effect; it is taken over when another member, or the new life in the dead one's place, reads it. Left out where no
member of a group was killed: a native consumer is a member of none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from rmqops.chaos.history.format import INSTANCE, MEMBERS, ClientName
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Verdict
from rmqops.model.history import Event

# $1 the dead one's names, $2 the others', $3 when the kill was given, in µs
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


def check(history: History, _bounds: Bounds) -> CheckResult | None:
    """Measure when each queue of each dead member was read again."""
    kills = [event for event in history.of("fault") if event.value and MEMBERS in event.value]
    given = {str((event.value or {}).get(INSTANCE)): event.t for event in kills if event.type == "invoke"}
    struck = [
        (event, list(_queues(history, event, given.get(str((event.value or {}).get(INSTANCE)), event.t))))
        for event in kills
        if event.type == "ok"
    ]
    if not any(queues for _, queues in struck):
        return None
    took = [each for _, queues in struck for each in queues if each is not None]
    left = [event for event, queues in struck for each in queues if each is None]
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


def _queues(history: History, event: Event, died: float) -> Iterator[float | None]:
    """Yield for each queue of a dead member the milliseconds until another read it; None if nobody did."""
    value = event.value or {}
    dead = ClientName.parse(value[INSTANCE])
    if dead is None:
        return
    others = {*filter(None, map(ClientName.parse, value[MEMBERS].split(",")))}
    names = {name: ClientName.parse(name) for name in history.consumers}
    asked = [
        [name for name, reader in names.items() if reader is not None and reader.process == dead],
        [name for name, reader in names.items() if reader is not None and _takes_over(reader, dead, others)],
        round(died * 1e6),
    ]
    for _, microseconds in history.query(TAKEN, asked):
        yield None if microseconds is None else float(str(microseconds)) / 1000


def _takes_over(reader: ClientName, dead: ClientName, others: Set[ClientName]) -> bool:
    """Tell whether a consumer may be given a dead one's queues: a member of its group, or a later life of it."""
    return reader.process in others or (reader.place == dead.place and reader.life > dead.life)


def _evidence(left: Sequence[Event]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            f"a queue of {(event.value or {})[INSTANCE]} was not read again", process=event.process, t=event.t
        )
        for event in left[:EVIDENCE_LIMIT]
    )

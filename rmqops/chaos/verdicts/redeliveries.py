"""Places that a consumer group read again, by cause; shared by the checks ``delivered`` and ``committed``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from rmqops.chaos.history.committed import Queue, highest
from rmqops.chaos.history.format import CONSUMED
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.readers import Reader

# Reads of places that a group had read before. A range that two members have read whole each may be settled, and
# is looked at as well. $1 the bits of a range
AGAIN = f"""
    with shared as (
        select g, q, r from chunk join reader using (p) where code = {CONSUMED} group by all having count(*) > 1
    ),
    places as (
        select g, line, p, q, o from seen join reader using (p)
        union all
        select r.g, c.line, c.p, c.q, c.o from consumed c join reader r using (p)
            semi join shared s on s.g = r.g and s.q = c.q and s.r = c.o >> $1::integer
            semi join settled z on z.q = c.q and z.r = c.o >> $1::integer
    ),
    numbered as (
        select *, row_number() over (partition by g, q, o order by line) as time,
            row_number() over (partition by p, q, o order by line) as own from places
    )
    select g, p, q, count(*) filter (own > 1), count(*) filter (own = 1) from numbered where time > 1 group by all
"""  # noqa: S608 - constants
BEGUN = """
    select g, p, q, arg_min(o, line), min(t) / 1e6, any_value(d.topic), any_value(d.broker), any_value(d.queue)
    from consumed join reader using (p)
        left join (select distinct q, topic, broker, queue from drain) d using (q)
    where g in (select unnest($1::integer[])) group by g, p, q order by min(line)
"""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where and when (seconds) a process began to read a queue; ``queue`` is None where nobody read that back."""

    process: int
    """The hash of its name."""
    offset: int
    t: float
    queue: Queue | None


def beginnings(history: History, groups: Sequence[Reader]) -> dict[tuple[int, int], list[Beginning]]:
    """Return who began to read each queue, in order, by the number of the group and the hash of the queue.

    Only of groups whose members share queues; the tables of ``history.readers`` are there.
    """
    shared = [number for number, reader in enumerate(groups) if reader.shares]
    found: dict[tuple[int, int], list[Beginning]] = {}
    for row in history.query(BEGUN, [shared]) if shared else ():
        g, p, q, offset, t, *queue = cast("tuple[int, int, int, int, float, str | None, str, int]", row)
        place = None if queue[0] is None else cast(Queue, tuple(queue))
        found.setdefault((g, q), []).append(Beginning(p, offset, t, place))
    return found


@dataclass(frozen=True, slots=True)
class Redeliveries:
    """How many reads brought what the group had read before."""

    again: int = 0
    """By the same process, in one life."""
    rebalance: int = 0
    """By one that was given the queue, and began where the one before had committed."""
    went_back: int = 0
    """By one that began below an offset that some broker had told as committed before."""

    @property
    def total(self) -> int:
        """Return all of them."""
        return self.again + self.rebalance + self.went_back


def redeliveries(history: History, groups: Sequence[Reader]) -> Redeliveries:
    """Count them; the tables of ``history.readers`` are there."""
    rows = [cast("tuple[int, int, int, int, int]", row) for row in history.query(AGAIN, [history.range_bits])]
    own = sum(row[3] for row in rows)
    others = [row for row in rows if row[4]]
    if not others:
        return Redeliveries(own)
    told = highest(history.of("committed"))
    begun = {(g, q, each.process): each for (g, q), known in beginnings(history, groups).items() for each in known}
    back = 0
    for g, p, q, _, number in others:
        first = begun.get((g, q, p))
        if first is not None and first.queue is not None:
            committed = told.before((groups[g].name, first.queue), first.t)
            back += number if committed is not None and first.offset < committed else 0
    return Redeliveries(own, sum(row[4] for row in others) - back, back)

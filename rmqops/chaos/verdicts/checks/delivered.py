"""Every message that a consumer group passed was read by it, and none was left behind.

Who reads as one is judged as one (``history.readers``): a consumer group, whoever of its members read; a native
consumer alone, in each of its lives, because it reads every queue from the beginning. A message that was
acknowledged at or below the highest offset that such a reader has read in the queue, and that it did not read, was
*skipped*: Jepsen's Kafka workload calls it a lost write, and a gap between two polls ``poll-skip``. So was one of
which nobody knew and that is stored there. What no member holds is left to ``lost``.

What stands above the highest offset is *unread* (Jepsen: ``unseen``). Consumers are stopped last and read on to
the queues' ends, so either nobody gave it to them or there was too little time: it fails when the message was
acknowledged ``bounds.catch_up`` before the load ended, and is undecided else. A native consumer that the drill
killed is not asked what it had not read yet.

A place that a group read again is a redelivery, which at-least-once allows: by the same process, one that tried
*again*; by another one that began below an offset that a broker had told as committed, one that *went back*; else
it was given the queue anew, and began where the one before had committed.

A native consumer says where a master had nothing for it. The broker that had acknowledged a message at that very
place must not say so ``bounds.stale`` later; that another one did, as a master that was cut off does, is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rmqops.chaos.history.format import ACKNOWLEDGED, ASKED, CONSUMED, CONSUMER
from rmqops.chaos.history.reader import History, Row
from rmqops.chaos.history.readers import Reader, reach, readers
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence
from rmqops.chaos.verdicts.redeliveries import redeliveries
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Number, Verdict

# Acknowledged messages that no member holds, each of which was read to its end: those that ``lost`` tells of.
ABSENT = """
    create or replace temp table absent as
        select m.k from doubtful m anti join stored using (k) left join complete c using (q)
        where m.acks > 0 group by m.k having bool_and(coalesce(c.complete, false))
"""
# Of settled ranges, which each consumer that was there has read whole, only those in which a reader never was.
PASSED = f"""
    create or replace temp table passed as
        with away as (
            select r.g, s.q, s.r from settled s join reach r on r.q = s.q and (s.r::bigint << $1::integer) <= r.o
            anti join (
                select distinct g, q, r from chunk join reader using (p) where code = {CONSUMED}
            ) c on c.g = r.g and c.q = s.q and c.r = s.r
        ),
        open as (
            select r.g, m.k, m.q, m.o, m.acks > 0 as acknowledged from doubtful m join reach r using (q)
                where m.acks > 0 and m.o <= r.o
            union all
            select distinct r.g, s.k, s.q, s.o, false from stored s join reach r using (q)
                join doubtful m on m.k = s.k and m.outcome = 'indeterminate' where s.o <= r.o
        ),
        apart as (
            select o.* from open o
            anti join (select g, k from seen join reader using (p)) s on s.g = o.g and s.k = o.k
        )
        select g, m.k, m.q, m.o, true as acknowledged
            from message m join away a on a.q = m.q and a.r = m.o >> $1::integer
        union all select g, k, q, o, acknowledged from apart anti join absent using (k)
"""  # noqa: S608 - constants
SKIPPED = """
    create or replace temp table skipped as
        select p.g, p.k, bool_or(p.acknowledged) as acknowledged, min(p.q) as q, min(p.o) as o from passed p
            anti join (
                select g, k from consumed join reader using (p) semi join (select distinct k from passed) using (k)
            ) r on r.g = p.g and r.k = p.k
        group by p.g, p.k
"""
# $1 the µs at which the load had ended, $2 how long before that fails, $3 the readers that are asked
UNREAD = """
    create or replace temp table unread as
        with above as (
            select r.g, m.k, $1::bigint - m.ended as age from message m join reach r using (q)
            where m.acks > 0 and m.o > r.o and r.g in (select unnest($3::integer[]))
                and m.k not in (select k from absent)
        )
        select a.g, a.k, a.age, a.age >= $2::bigint as overdue from above a
            anti join (
                select g, k from consumed join reader using (p) semi join (select distinct k from above) using (k)
            ) r on r.g = a.g and r.k = a.k
"""
FIRST = f"""
    select k from (
        select k, q, o, g, case when acknowledged then 'skipped' else 'unknown' end as what from skipped
        union all
        select k, -age, 0, g, case when overdue then 'overdue' else 'late' end from unread
    ) where list_contains($1::varchar[], what) order by q, o, k, g limit {EVIDENCE_LIMIT}
"""  # noqa: S608 - a constant
READERS = "select distinct g from (select g from skipped union all select g from unread) order by g"
END = "select coalesce((select min(t) from drain), (select max(ended) from message where acks > 0), 0)"
EMPTY = f"""
    with empty as (
        select (hash(e.topic, e.broker, e.queue) >> 32)::uinteger as q, e.o, e.asked,
            (hash(e.address) >> 32)::uinteger as a
        from (
            select unnest($1::varchar[]) as topic, unnest($2::varchar[]) as broker, unnest($3::integer[]) as queue,
                unnest($4::bigint[]) as o, unnest($5::bigint[]) as asked, unnest($6::varchar[]) as address
        ) e
    )
    select l.k, max(e.asked - l.t), bool_or(l.a = e.a and e.asked - l.t >= $8::bigint), count(*)
    from store.line l join empty e on e.q = l.q and e.o = l.o
    where l.code = {ACKNOWLEDGED} and l.t + $7::bigint < e.asked group by l.k order by min(e.asked), l.k
"""  # noqa: S608 - constants


def check(history: History, bounds: Bounds) -> CheckResult | None:
    """Judge what each reader passed, what it left, and what brokers kept from it."""
    groups = readers(history)
    if not groups:
        return None
    reach(history)
    history.query(ABSENT)
    history.query(PASSED, [history.range_bits])
    history.query(SKIPPED)
    asked = [number for number, reader in enumerate(groups) if not reader.killed]
    history.query(UNREAD, [history.number(END), round(bounds.catch_up * 1e6), asked])
    skipped = history.number("select count(*) from skipped where acknowledged")
    unknown = history.number("select count(*) from skipped where not acknowledged")
    unread, overdue, longest = history.query("select count(*), count(*) filter (overdue), max(age) from unread")[0]
    stale = _empty(history, bounds)
    denied = [cast(int, k) for k, _, guilty, _ in stale if guilty]
    acknowledged = history.number("select count(*) from message where acks > 0")
    numbers: dict[str, Number] = {
        "acknowledged": acknowledged,
        "readers": len(groups),
        "skipped": skipped,
        "skipped_unacknowledged": unknown,
        "unread": cast(int, unread),
        "unread_too_long": cast(int, overdue),
        "unread_longest_ms": _ms(cast("int | None", longest)),
        **_again(history, groups),
        "stale_reads": sum(cast(int, times) for *_, times in stale),
        "stale_reads_longest_ms": _ms(max((cast(int, age) for _, age, _, _ in stale), default=None)),
    }
    names = ", ".join(groups[number].name for number in history.keys(READERS))
    if skipped or unknown or overdue or denied:
        told = [
            (skipped, "skipped", "acknowledged, and passed without being read",
             _first(history, "skipped")),
            (unknown, "skipped of which nobody knew", "stored, and passed without being read",
             _first(history, "unknown")),
            (cast(int, overdue), f"unread {bounds.catch_up:g} s after the acknowledgement",
             "acknowledged, and never read", _first(history, "overdue")),
            (len(denied), "denied by a broker", "the broker that acknowledged it said it was not there", denied),
        ]  # fmt: skip
        text = "; ".join(f"{count(number, 'message')} {what}" for number, what, _, _ in told if number)
        text = f"{text}, by {names}" if names else text
        evidence = tuple(
            item for _, _, note, keys in told for item in message_evidence(history, note, dict.fromkeys(keys))
        )
        return CheckResult("delivered", Verdict.FAIL, text, numbers, evidence)
    if not acknowledged:
        return CheckResult("delivered", Verdict.INCONCLUSIVE, "no message was acknowledged", numbers)
    if unread:
        text = f"{count(cast(int, unread), 'message')} not read when the load ended, by {names}: was there time?"
        evidence = message_evidence(history, "acknowledged, and not yet read", _first(history, "late", "overdue"))
        return CheckResult("delivered", Verdict.INCONCLUSIVE, text, numbers, evidence)
    text = f"all {acknowledged:,} acknowledged messages were read, by {count(len(groups), 'reader')}"
    return CheckResult("delivered", Verdict.PASS, text, numbers)


def _first(history: History, *what: str) -> list[int]:
    """Return the keys of the first messages that were ``skipped``, or are ``unknown``, ``overdue`` or ``late``."""
    return [cast(int, row[0]) for row in history.query(FIRST, [list(what)])]


def _ms(microseconds: int | None) -> float | None:
    return None if microseconds is None else round(microseconds / 1e3, 3)


def _again(history: History, groups: Sequence[Reader]) -> dict[str, Number]:
    """Count the reads of places that a group had read before; nothing where no two share their queues."""
    if not any(reader.shares for reader in groups):
        return {}
    found = redeliveries(history, groups)
    return {
        "redelivered": found.total,
        "redelivered_again": found.again,
        "redelivered_by_rebalance": found.rebalance,
        "redelivered_went_back": found.went_back,
    }


def _empty(history: History, bounds: Bounds) -> list[Row]:
    """Return the messages that were acknowledged before a master said that there is nothing at their place."""
    said = [
        event
        for event in history.of("receive")
        if event.type == "info" and event.process.startswith(CONSUMER) and event.offset is not None
    ]
    if not said:
        return []
    return history.query(
        EMPTY,
        [
            [event.topic for event in said],
            [event.broker for event in said],
            [event.queue for event in said],
            [event.offset for event in said],
            [round(float((event.value or {}).get(ASKED, event.t)) * 1e6) for event in said],
            [event.address for event in said],
            round(bounds.clock_error * 1e6),
            round(bounds.stale * 1e6),
        ],
    )

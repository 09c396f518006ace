"""What a consumer group has committed is a register of each queue: it does not go back, nor ahead of its reading.

Judged is what the master of the moment says (``history.committed``). A new master has what it last took over from
the old one, which it asks every 10 s (``SlaveSynchronize``), the first time when a registration has told it who
that is: how far a register went back at a change, for how long, and what was read again for it is *measured*. So
it is when a fault took the master away and it came back with what it had written to its file, every 5 s. When a
queue was given to another member, that one may have asked before the last one's commit came; it began no further
than where the register then goes back to.

What nothing of that explains fails: a master let a commit go back. So does an offset beyond what the group had
read by then: what lies between is committed and was given to nobody. Our client tells a message before its offset
can be committed. Left out where nobody was asked: a native consumer commits nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from rmqops.chaos.history import fault_records, run_record
from rmqops.chaos.history.committed import (
    Key,
    Sample,
    Step,
    Tenure,
    caught_up,
    registers,
    restarted,
    steps,
    tenures,
)
from rmqops.chaos.history.format import CONSUMED
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.readers import Reader, readers
from rmqops.chaos.history.routes import SILENCE, spans
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count
from rmqops.chaos.verdicts.redeliveries import Beginning, beginnings, redeliveries
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Number, Verdict

HANDED_OVER = 30.0
"""Seconds for which one that was given a queue may have an offset from before that: the client commits every 5 s
and shares queues anew every 20 s (``persistConsumerOffsetInterval``, ``RebalanceService``)."""

# Times are in hundredths of a second. $1 the groups, $2 to $4 their queues, $5 the samples' times in µs, $6 their
# offsets, $7 their numbers, $8 what clocks may differ by
SAMPLES = """
    create or replace temp table sample as
        select g, (hash(topic, broker, queue) >> 32)::uinteger as q, (t + $8::bigint) // 10000 as t, o, n from (
            select unnest($1::integer[]) as g, unnest($2::varchar[]) as topic, unnest($3::varchar[]) as broker,
                unnest($4::integer[]) as queue, unnest($5::bigint[]) as t, unnest($6::bigint[]) as o,
                unnest($7::bigint[]) as n
        )
"""
# The place before most offsets had been read by then, which is quick to see; of the others: how far the group had
# read by their time.
AHEAD = f"""
    with open as (
        select * from sample anti join (
            select s.n from sample s join store.line l on l.q = s.q and l.o = s.o - 1 and l.t // 10000 <= s.t
                join reader r on r.p = l.p and r.g = s.g
            where l.code = {CONSUMED}
        ) using (n)
    ),
    line as (
        select g, q, t // 10000 as t, max(o)::bigint as o, null as n from store.line join reader using (p)
            where code = {CONSUMED} and q in (select q from open) group by all
        union all
        select g, q, t, null, n from open
    ),
    known as (
        select n, coalesce(max(o) over (partition by g, q order by t, n nulls first
            rows between unbounded preceding and current row), -1) as o from line
    )
    select s.n, k.o from open s join known k using (n) where s.o > k.o + 1 order by s.n
"""  # noqa: S608 - a constant


def check(history: History, bounds: Bounds) -> CheckResult | None:
    """Judge every step of every register, and every offset against what had been read."""
    record = run_record.read(history.of("run"))
    if not any(event.op == "committed" and event.type == "ok" for event in history.of("committed")):
        return None
    masters = tenures(spans(history.of("route")))
    known = registers(history.of("committed"), masters)
    groups = readers(history, record)
    faults = fault_records.faults(history.of("fault", "heal"))
    failures: dict[str, list[float]] = {}
    for event in history.of("committed"):
        if event.type != "ok":
            failures.setdefault(event.process, []).append(event.t)
    went_back = [step for step in steps(known) if step.back]
    changes = [step for step in went_back if step.changed]
    restarts = [step for step in went_back if not step.changed and restarted(step, failures, faults)]
    rest = [step for step in went_back if not step.changed and step not in restarts]
    given = _given(history, groups) if rest else {}
    handed = [step for step in rest if _handed_over(step, given.get(step.key, ()))]
    guilty = [step for step in rest if step not in handed]
    ahead = list(_ahead(history, groups, known, bounds))
    behind = [caught_up(step, known[step.key]) for step in (*changes, *restarts)]
    numbers: dict[str, Number] = {
        "registers": len(known),
        "samples": sum(len(said) for said in known.values()),
        "changes_of_master": len(_changes(masters, known)),
        "went_back": sum(step.back for step in changes),
        "went_back_most": max((step.back for step in changes), default=0),
        **_of_each(changes),
        "went_back_at_restarts": sum(step.back for step in restarts),
        "went_back_at_rebalances": sum(step.back for step in handed),
        "behind_longest_ms": round(1000 * max((t for t in behind if t is not None), default=0.0), 3),
        "behind_at_the_end": sum(t is None for t in behind),
        "read_again": redeliveries(history, groups).went_back,
        "went_back_unexplained": len(guilty),
        "beyond_what_was_read": len(ahead),
    }
    if guilty or ahead:
        texts = [
            f"{count(len(guilty), 'commit')} went back on a master that stayed the master" if guilty else "",
            f"{count(len(ahead), 'commit')} beyond what the group had read" if ahead else "",
        ]
        evidence = (*map(_back_evidence, guilty[:EVIDENCE_LIMIT]), *ahead[:EVIDENCE_LIMIT])
        return CheckResult("committed", Verdict.FAIL, "; ".join(filter(None, texts)), numbers, evidence)
    asked = [event.t for event in history.of("committed")]
    unknown = [*_unsampled(groups, known), *_unseen(masters, known, min(asked), max(asked))]
    if unknown:
        return CheckResult("committed", Verdict.INCONCLUSIVE, f"not asked for: {'; '.join(unknown)}", numbers)
    text = (
        f"{count(len(known), 'register')}, {count(cast(int, numbers['changes_of_master']), 'change')} of master:"
        f" went back by {count(cast(int, numbers['went_back']), 'message')},"
        f" of which {cast(int, numbers['read_again']):,} were read again"
    )
    evidence = tuple(_back_evidence(step) for step in (*changes, *restarts)[:EVIDENCE_LIMIT])
    return CheckResult("committed", Verdict.PASS, text, numbers, evidence)


def _back_evidence(step: Step) -> Evidence:
    group, (topic, broker, queue) = step.key
    return Evidence(
        f"{group}: {step.before.offset} on {step.before.member}, then {step.after.offset} on {step.after.member}",
        t=step.before.t,
        ended=step.after.t,
        topic=topic,
        broker=broker,
        queue=queue,
        offset=step.after.offset,
    )


def _of_each(changes: Sequence[Step]) -> dict[str, Number]:
    """Return how far the registers went back on each member that became master."""
    back: dict[str, Number] = {}
    for step in sorted(changes, key=lambda step: step.after.member):
        name = f"went_back_on.{step.after.member}"
        back[name] = cast(int, back.get(name, 0)) + step.back
    return back


def _changes(masters: Mapping[str, Sequence[Tenure]], known: Mapping[Key, Sequence[Sample]]) -> list[Tenure]:
    """Return the times of masters that followed another one, of groups that have registers."""
    brokers = {queue[1] for _, queue in known}
    return [
        tenure
        for broker in brokers
        for before, tenure in zip(masters.get(broker, ()), masters.get(broker, ())[1:], strict=False)
        if tenure.address != before.address
    ]


def _given(history: History, groups: Sequence[Reader]) -> dict[Key, list[Beginning]]:
    """Return who began to read each queue of each group, in order."""
    given: dict[Key, list[Beginning]] = {}
    for (g, _), known in beginnings(history, groups).items():
        for each in known:
            if each.queue is not None:
                given.setdefault((groups[g].name, each.queue), []).append(each)
    return given


def _handed_over(step: Step, given: Sequence[Beginning]) -> bool:
    """Tell whether another member was given the queue, and began no further than the register went back to."""
    return any(
        each.offset <= step.after.offset and step.after.t - HANDED_OVER <= each.t <= step.after.t
        for each in given[1:]
    )


def _ahead(
    history: History, groups: Sequence[Reader], known: Mapping[Key, Sequence[Sample]], bounds: Bounds
) -> Iterator[Evidence]:
    """Yield each register that was told to be ahead of what its group had read, when it came there."""
    numbers = {reader.name: number for number, reader in enumerate(groups) if reader.shares}
    told: list[tuple[int, Key, Sample]] = []
    for key, said in known.items():
        far = 0
        for sample in said if key[0] in numbers else ():
            if sample.offset > far:
                far = sample.offset
                told.append((numbers[key[0]], key, sample))
    queues = [queue for _, (_, queue), _ in told]
    asked = [
        [number for number, *_ in told],
        [topic for topic, _, _ in queues],
        [broker for _, broker, _ in queues],
        [number for _, _, number in queues],
        [round(sample.t * 1e6) for *_, sample in told],
        [sample.offset for *_, sample in told],
        list(range(len(told))),
        round(bounds.clock_error * 1e6),
    ]
    history.query(SAMPLES, asked)
    for n, read in history.query(AHEAD):
        _, (group, (topic, broker, queue)), sample = told[cast(int, n)]
        yield Evidence(
            f"{group} had committed {sample.offset} on {sample.member}, and read up to {cast(int, read) + 1}",
            t=sample.t,
            topic=topic,
            broker=broker,
            queue=queue,
            offset=sample.offset,
        )


def _unsampled(groups: Sequence[Reader], known: Mapping[Key, Sequence[Sample]]) -> Iterator[str]:
    """Name the consumer groups of which no master said anything."""
    told = {group for group, _ in known}
    for reader in groups:
        if reader.shares and reader.name not in told:
            yield f"what {reader.name} had committed"
    if not told:
        yield "any master"


def _unseen(
    masters: Mapping[str, Sequence[Tenure]], known: Mapping[Key, Sequence[Sample]], first: float, last: float
) -> Iterator[str]:
    """Name the masters that were not asked between two times: what the registers were on them is not known."""
    for broker in sorted({queue[1] for _, queue in known}):
        times = sorted(sample.t for (_, queue), said in known.items() if queue[1] == broker for sample in said)
        for tenure in masters.get(broker, ()):
            begin, end = max(tenure.start, first), min(tenure.end, last)
            if end - begin > SILENCE and not any(begin <= t <= end for t in times):
                yield f"{tenure.address} as master of {broker}"

"""The history itself can be believed: its lines belong together, and its times run forward.

Each send of a process that lived has one outcome, by that process, after it; a key has one sender; nothing is read
before it was sent; time does not run backwards within a process. What is wrong here is the recorder's fault, or a
clock's, not the cluster's, so it makes the drill inconclusive and never fails it. Without trust in times no check
that rests on them may fail (``evaluate``).

An invoke that nothing follows is right where its process was killed by the drill: that send is indeterminate. What
the run says of itself (``run_record``) must be whole: that it ended, and how many lines each process wrote.
"""

from __future__ import annotations

from collections import Counter

from rmqops.chaos.history import run_record
from rmqops.chaos.history.fault_records import faults
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence
from rmqops.chaos.verdicts.verdict import CheckResult, Number, Verdict

EXACT = 1 << 21
"""So many lines are looked at one by one; of more, blocks of :data:`BLOCK` lines of a process are compared."""
BLOCK = 64
SAMPLE = 1 << 21
"""So many messages are all held against their reads; of more, a sample, drawn by the keys' hashes."""
JITTER = 0.1
"""Seconds: a process with several threads may hand in two lines in another order than it took their times."""

ODD = """
    select k from message where outcomes > attempts or invoked is null or ended < invoked or mixed
    order by coalesce(invoked, ended), k
"""
UNANSWERED = """
    select k from message where outcomes < attempts and k in (
        select k from event where code = 1 and p not in (select (hash(unnest($1::varchar[])) >> 32)::uinteger)
    ) order by invoked, k
"""
TOO_EARLY = """
    select distinct m.k from (select k, invoked from message where k % $1::ubigint = 0) m
        join consumed c on c.k = m.k
    where c.t + $2::bigint < m.invoked order by m.k
"""
LINES_OF = "select count(*) from store.line where p = (hash($1::varchar) >> 32)::uinteger"
BACKWARDS = """
    select coalesce(max(latest - earliest), 0) / 1e6 from (
        select earliest, max(latest) over (
            partition by p order by block rows between unbounded preceding and 1 preceding) as latest
        from (
            select p, rowid // $1::bigint as block, min(t) as earliest, max(t) as latest
            from store.line group by all
        )
    )
"""


def check(history: History, bounds: Bounds) -> CheckResult:
    """Judge that sends and outcomes belong together, and that times can be believed."""
    killed = [fault.instance for fault in faults(history.of("fault")) if fault.group is None and fault.instance]
    sends = history.number("select count(*) from message")
    lines = history.number("select count(*) from store.line")
    odd = history.keys(ODD)
    unanswered = [int(str(row[0])) for row in history.query(UNANSWERED, [killed])]
    asked = [max(1, sends // SAMPLE), round(bounds.clock_error * 1e6)]
    early = [int(str(row[0])) for row in history.query(TOO_EARLY, asked)]
    backwards = float(str(history.query(BACKWARDS, [1 if lines <= EXACT else BLOCK])[0][0]))
    numbers: dict[str, Number] = {
        "lines": history.count(),
        "sends": sends,
        "unanswered": history.number("select count(*) from message where outcomes < attempts"),
        "outcomes_without_send": len(odd),
        "unanswered_of_the_living": len(unanswered),
        "read_before_sent": len(early),
        "backwards_ms": round(1000 * max(0.0, backwards), 3),
        "clocks_ran_backwards": int(backwards > JITTER),
    }
    problems = [
        (odd, "with an outcome that does not belong to it", "its outcome has no send of its own, or two"),
        (unanswered, "without an outcome though its process lived", "nothing followed, and its process lived"),
        (early, "read before it was sent", "it was read before it was sent"),
    ]
    found = [problem for problem in problems if problem[0]]
    missing = _missing(history)
    if found or missing or backwards > JITTER:
        texts = [*missing, *(f"{count(len(keys), 'send')} {what}" for keys, what, _ in found)]
        if backwards > JITTER:
            texts.append(f"the time of a process ran backwards by {backwards:.3f} s")
        evidence = tuple(item for keys, _, note in found for item in message_evidence(history, note, keys))
        return CheckResult("history", Verdict.INCONCLUSIVE, "; ".join(texts), numbers, evidence)
    if not sends:
        return CheckResult("history", Verdict.INCONCLUSIVE, "nothing was sent", numbers)
    return CheckResult("history", Verdict.PASS, f"{numbers['lines']:,} lines belong together", numbers)


def _missing(history: History) -> list[str]:
    """Say what the run itself says that must be in its history, and is not."""
    told = tuple(history.of("run"))
    run = run_record.read(told)
    ends = Counter(event.process for event in told)
    problems = (
        ["it does not say that the run has ended, so its end is missing"] if run.begun and not run.ended else []
    )
    for process, due in run.lines.items():
        there = history.number(LINES_OF, [process]) - ends[process]
        if there != due:
            problems.append(f"{process} wrote {count(due, 'line')}, and there are {there:,}")
    return problems

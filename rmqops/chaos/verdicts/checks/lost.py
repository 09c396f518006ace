"""Acknowledged messages that are nowhere.

A message is lost when its send was acknowledged and no member holds it, although every read-back of its queue
reached the queue's end. A read-back that did not reach the end decides nothing: what it lacks is *undecided*.
(A peer of ours reported 76 lost messages that were all there, because it stopped reading after a fixed time.)
A message that only one member lacks is not lost; ``replicas`` fails for it.

A message that a consumer has read and that nobody holds any more has *vanished*: it was committed, and is
gone. That fails too, acknowledged or not, and so does a place at which a consumer read a message that no member
holds there any more.

Offsets are dense, so a place below a queue's end that no member gave back held something. Where nothing was
acknowledged there nobody knows what, and the queue was not read back.
"""

from __future__ import annotations

from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence, not_drained
from rmqops.chaos.verdicts.verdict import CheckResult, Number, Verdict

ABSENT = """
    select m.k, bool_and(coalesce(c.complete, false)) as decided
    from doubtful m anti join stored on m.k = stored.k left join complete c on m.q = c.q
    where m.acks > 0 group by m.k, m.invoked order by m.invoked, m.k
"""
VANISHED = """
    select s.k, bool_and(coalesce(c.complete, false)) as decided
    from seen s anti join stored on s.k = stored.k semi join (select k from doubtful where acks = 0) m on s.k = m.k
        left join complete c on s.q = c.q
    group by s.k order by min(s.line), s.k
"""

GONE_PLACES = """
    select s.k, bool_and(coalesce(c.complete, false)) as decided
    from seen s anti join stored t on s.k = t.k and s.q = t.q and s.o = t.o left join complete c on s.q = c.q
    where s.k in (select k from message) and (s.k in (select k from stored) or s.k not in (select k from doubtful))
    group by s.k order by min(s.line), s.k
"""
# Places below the end of a queue that no member gave back, and at which nothing was acknowledged.
UNKNOWN_PLACES = """
    with open as (
        select distinct q, unnest(range(ended)) as o from drain where q in (select q from gap)
    )
    select count(*) from open p
        anti join stored s on s.q = p.q and s.o = p.o
        anti join settled z on z.q = p.q and z.r = p.o >> $1::integer
        anti join acknowledged a on a.q = p.q and a.o = p.o
"""

SPAN = """
    select (max(ended) - min(ended)) / 1e3 from message where k in (select unnest($1::ubigint[]))
"""


def _span(history: History, keys: list[int]) -> float | None:
    """Return the ms between the first and the last acknowledgement of what was lost: the RPO as a span."""
    value = history.query(SPAN, [keys])[0][0]
    return None if value is None else float(str(value))


def check(history: History, _bounds: Bounds) -> CheckResult:
    """Judge that every acknowledged message is still there."""
    acknowledged = history.number("select count(*) from message where acks > 0")
    lost, unsure = history.sorted_keys(ABSENT)
    gone, unsure_gone = history.sorted_keys(VANISHED)
    moved, _ = history.sorted_keys(GONE_PLACES)
    moved = [key for key in moved if key not in {*lost, *gone}]
    undecided = [*unsure, *unsure_gone]
    undrained = history.undrained
    unknown = history.number(UNKNOWN_PLACES, [history.range_bits])
    numbers: dict[str, Number] = {
        "acknowledged": acknowledged,
        "lost": None if undecided or undrained or not acknowledged else len(lost),
        "vanished": len(gone),
        "vanished_places": len(moved),
        "undecided": len(undecided),
        "undrained_queues": len(undrained),
        "unknown_places": unknown,
        "rpo_span_ms": None,
    }
    if lost or gone or moved:
        numbers["lost"] = len(lost)
        numbers["rpo_span_ms"] = _span(history, lost)
        evidence = (
            *message_evidence(history, "acknowledged, and no member holds it", lost),
            *message_evidence(history, "read by a consumer, and no member holds it any more", gone),
            *message_evidence(history, "read by a consumer at a place where no member holds it any more", moved),
        )
        text = f"{count(len(lost), 'message')} lost of {acknowledged:,} acknowledged"
        text = f"{text}, {len(gone):,} more read and vanished" if gone else text
        text = f"{text}, {count(len(moved), 'place')} read and vanished" if moved else text
        return CheckResult("lost", Verdict.FAIL, text, numbers, evidence)
    if not acknowledged:
        return CheckResult("lost", Verdict.INCONCLUSIVE, "no message was acknowledged", numbers)
    if undrained:
        return CheckResult("lost", Verdict.INCONCLUSIVE, not_drained(undrained), numbers)
    if undecided:
        text = f"{count(len(undecided), 'message')} not found, but a member was not read back to its end"
        evidence = message_evidence(history, "not found, and not decided", undecided)
        return CheckResult("lost", Verdict.INCONCLUSIVE, text, numbers, evidence)
    if unknown:
        text = f"{count(unknown, 'place')} below the queues' ends that no member gave back: what stood there?"
        return CheckResult("lost", Verdict.INCONCLUSIVE, text, numbers)
    return CheckResult("lost", Verdict.PASS, f"all {acknowledged:,} acknowledged messages are there", numbers)

"""The members of a group hold the same messages at the same offsets: level by content, not by length.

Every queue must have been read back from every member that the route has shown, to that member's own end. Members
that differ fail; a queue that was not read back from one makes a pass impossible. Where no group has a second
member, there is nothing to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rmqops.chaos.history.reader import Drain, History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Verdict

DIFFERING = """
    with readable as (select p, q from complete where complete),
        members as (select q, count(distinct p) as n from readable group by q)
    select any_value(s.k), s.q, s.o from stored s semi join readable using (p, q) join members m on s.q = m.q
    group by s.q, s.o, s.k having count(distinct s.p) <> any_value(m.n) order by s.q, s.o, s.k
"""


def check(history: History, _bounds: Bounds) -> CheckResult | None:
    """Judge that all members of each group are level."""
    drains = history.drains
    known = _known(history)
    if known and all(len(members) == 1 for members in known.values()):
        return None
    incomplete = [drain for drain in drains if not drain.complete]
    uneven = _uneven(drain for drain in drains if drain.complete)
    differing = history.keys(DIFFERING)
    missing = _missing_members(history, known)
    numbers = {
        "members": len({drain.process for drain in drains}),
        "queues": len({(drain.broker, drain.queue) for drain in drains}),
        "uneven_queues": len(uneven),
        "differing_places": len(differing),
        "incomplete_drains": len(incomplete),
    }
    if differing or uneven:
        text = (
            f"members differ at {count(len(differing), 'place')}; {count(len(uneven), 'queue')} of unequal length"
        )
        lengths = tuple(
            Evidence(f"{place} ends at {ends}") for place, ends in list(uneven.items())[:EVIDENCE_LIMIT]
        )
        evidence = (*lengths, *message_evidence(history, "not at the same place in every member", differing))
        return CheckResult("replicas", Verdict.FAIL, text, numbers, evidence)
    if not drains:
        return CheckResult("replicas", Verdict.INCONCLUSIVE, "no member was read back", numbers)
    if incomplete:
        names = ", ".join(f"{drain.process} {drain.place}" for drain in incomplete[:8])
        return CheckResult("replicas", Verdict.INCONCLUSIVE, f"not read back to the end: {names}", numbers)
    if missing:
        more = f"; and {count(len(missing) - 8, 'queue')} more" if len(missing) > 8 else ""
        return CheckResult("replicas", Verdict.INCONCLUSIVE, "; ".join(missing[:8]) + more, numbers)
    text = f"{count(numbers['members'], 'member')} level in {count(numbers['queues'], 'queue')}"
    return CheckResult("replicas", Verdict.PASS, text, numbers)


def _uneven(drains: Iterable[Drain]) -> dict[str, str]:
    """Return the queues whose members end at different offsets."""
    ends: dict[str, dict[str, int]] = {}
    for drain in drains:
        ends.setdefault(drain.place, {})[drain.process] = drain.end
    return {
        place: ", ".join(f"{end} in {process}" for process, end in sorted(by_member.items()))
        for place, by_member in ends.items()
        if len(set(by_member.values())) > 1
    }


def _known(history: History) -> dict[str, set[str]]:
    """Return the addresses of every member that a route has ever shown, by group; a drill begins with all."""
    known: dict[str, set[str]] = {}
    for event in history.of("route"):
        if event.broker and event.value:
            known.setdefault(event.broker, set()).update(event.value.values())
    return known


def _missing_members(history: History, known: Mapping[str, set[str]]) -> list[str]:
    """Name the queues that fewer members were read back from than the routes have shown, or than two if none."""
    read: dict[tuple[str, str, int], set[str]] = {}
    for drain in history.drains:
        read.setdefault((drain.broker, drain.topic, drain.queue), set()).add(drain.process)
    due = {broker: len(known.get(broker, ())) or 2 for broker, _, _ in read}
    return [
        f"{broker}/{queue}: {len(processes)} of {due[broker]} members were read back"
        for (broker, _, queue), processes in sorted(read.items())
        if len(processes) < due[broker]
    ]

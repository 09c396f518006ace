"""At most one leader a term: two that led in the same term could each have acknowledged what the other overwrote.

Told by the members' own logs, over the cluster's whole life. A drill against groups without terms (master-slave)
has nothing to judge here, and leaves this check out; a group that was seen to elect has terms.
"""

from __future__ import annotations

from rmqops.chaos.history.format import TERM
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.routes import spans
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Number, Verdict


def check(history: History, _bounds: Bounds) -> CheckResult | None:
    """Judge every term of every group."""
    events = list(history.of("leader"))
    if not events:
        elected = _elected(history)
        if not elected:
            return None
        text = f"{', '.join(elected)} elected a master, and who led in which term is not in the history"
        return CheckResult("leaders", Verdict.INCONCLUSIVE, text)
    led: dict[tuple[str, int], set[str]] = {}
    for event in events:
        if event.type == "ok":
            led.setdefault((event.broker or "", int((event.value or {})[TERM])), set()).add(event.process)
    unread = [event for event in events if event.type != "ok"]
    doubled = {key: names for key, names in led.items() if len(names) > 1}
    numbers: dict[str, Number] = {
        "terms": len(led),
        "latest_term": max((term for _, term in led), default=None),
        "terms_with_two_leaders": len(doubled),
        "logs_not_read": len(unread),
    }
    if doubled:
        evidence = tuple(
            Evidence(f"{' and '.join(sorted(names))} each led {group} in term {term}", broker=group)
            for (group, term), names in sorted(doubled.items())
        )[:EVIDENCE_LIMIT]
        text = f"{count(len(doubled), 'term')} with two leaders"
        return CheckResult("leaders", Verdict.FAIL, text, numbers, evidence)
    if unread or not led:
        text = "; ".join(f"{event.process}: {event.error}" for event in unread) or "no log names a leader"
        return CheckResult("leaders", Verdict.INCONCLUSIVE, text, numbers)
    return CheckResult("leaders", Verdict.PASS, f"{count(len(led), 'term')}, one leader in each", numbers)


def _elected(history: History) -> list[str]:
    """Return the groups that had two masters, one after the other: they elect, so they have terms."""
    masters: dict[str, set[str]] = {}
    for span in spans(history.of("route")):
        if span.master is not None:
            masters.setdefault(span.broker, set()).add(span.master)
    return sorted(broker for broker, addresses in masters.items() if len(addresses) > 1)

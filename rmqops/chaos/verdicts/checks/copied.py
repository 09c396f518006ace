"""What was acknowledged and not yet copied when a master died that nobody replaces.

A master that replicates asynchronously acknowledges before a slave has the message, so some may be on the dead
master alone: they are counted, and found again when it comes back (``lost`` judges that). One that replicates
synchronously acknowledges with code 0 only what a slave has; codes 10, 11 and 12 are no acknowledgements here
(``rmqops.remoting.outcomes``), so none may be missing.

A ``SYNC_MASTER`` of 4.x waits for one slave (``HAService``, ``GroupTransferService``), so a message that one of
several has is copied. A slave that was not read to its end says nothing of what it lacks.

Only where a phase expects ``reads``: its drill then reads what the living members hold while the master is dead.
"""

from __future__ import annotations

from typing import cast

from rmqops.chaos.history.fault_records import faults
from rmqops.chaos.history.format import MASTER_ROLE, reader_prefix
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count, message_evidence
from rmqops.chaos.verdicts.verdict import CheckResult, Number, Verdict

SYNC = "SYNC_MASTER"

READERS = f"""
    with each as (
        select process, broker, topic, queue,
            any_value(value ->> '$.{MASTER_ROLE}') filter (type = 'invoke') as role,
            bool_or(type = 'fail') as failed, max("offset") filter (type = 'invoke') as upto,
            coalesce(max("offset") filter (type = 'ok') + 1, 0) as given
        from raw where op = 'receive' and starts_with(process, $1::varchar) group by all
    )
    select broker, list_sort(list(distinct process)), any_value(role),
        bool_or(failed or upto is null or given < upto) as short
    from each group by broker order by broker
"""  # noqa: S608 - a constant
ACKNOWLEDGED = """
    select count(distinct key) from raw
    where op = 'send' and type = 'ok' and broker = $1::varchar and t < $2::double
"""
MISSING = """
    with held as (
        select key from raw
        where op = 'receive' and type = 'ok' and list_contains($3::varchar[], process) and broker = $1::varchar
    )
    select hash(key) from raw
    where op = 'send' and type = 'ok' and broker = $1::varchar and t < $2::double
        and key not in (select key from held)
    group by key order by min(t), key
"""


def check(history: History, _bounds: Bounds) -> CheckResult | None:
    """Count what the slaves lacked; judge that they lacked nothing where the master waited for them."""
    ends: dict[int, float] = {}
    for fault in faults(history.of("fault", "heal")):
        if fault.expects == "reads" and fault.heal_started_at is not None:
            ends[fault.phase] = min(fault.heal_started_at, ends.get(fault.phase, fault.heal_started_at))
    if not ends:
        return None
    acknowledged, words, failed, wrong, missing = 0, set[str](), False, list[int](), list[int]()
    for phase, end in ends.items():
        for broker, readers, role, broken in history.query(READERS, [reader_prefix(phase)]):
            acknowledged += history.number(ACKNOWLEDGED, [broker, end])
            lacking = [cast("int", row[0]) for row in history.query(MISSING, [broker, end, readers])]
            words.add("synchronous" if role == SYNC else "asynchronous")
            (wrong if role == SYNC else missing).extend(lacking)
            failed = failed or bool(broken)
    numbers: dict[str, Number] = {
        "acknowledged": acknowledged,
        "not_copied": len(missing) + len(wrong),
        "replication": ", ".join(sorted(words)),
    }
    if failed or not words:
        text = "the living members were not read to their ends while the master was dead"
        return CheckResult("copied", Verdict.INCONCLUSIVE, text, numbers)
    share = f"of {acknowledged:,} acknowledged by the dead master, {numbers['replication']}"
    if wrong:
        text = f"{count(len(wrong), 'message')} not on a slave {share}"
        evidence = message_evidence(history, "acknowledged as copied, and not on the slave", wrong)
        return CheckResult("copied", Verdict.FAIL, text, numbers, evidence)
    evidence = message_evidence(history, "acknowledged, and on the dead master alone", missing)
    text = f"{count(len(missing), 'message')} not yet copied {share}"
    return CheckResult("copied", Verdict.PASS, text, numbers, evidence)

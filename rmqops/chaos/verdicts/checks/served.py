"""Which member gave consumers their messages, and that slaves did where consumers were to read from them.

A message counts for what its member was asked as: the slave that the route named, or the master. Left out where no
consumer was to read from slaves; then all read from masters, and say nothing of it.
"""

from __future__ import annotations

from typing import cast

from rmqops.chaos.history.format import CONSUMED, DRAIN, SERVED_BY, ClientName, instance_read_by
from rmqops.chaos.history.reader import History
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count
from rmqops.chaos.verdicts.units import of_each
from rmqops.chaos.verdicts.verdict import CheckResult, Number, Verdict

FROM = f"""
    select rest ->> '$.process' as process, (rest ->> '$.value') ->> '$.{SERVED_BY}' as source,
        rest ->> '$.address', count(*)
    from event where code = {CONSUMED} and rest is not null group by all order by all
"""  # noqa: S608 - a constant


def check(history: History, bounds: Bounds) -> CheckResult | None:
    """Count what each member gave, and judge that slaves gave something to each consumer that was to ask them."""
    if not bounds.from_slaves:
        return None
    rows = [cast(tuple[str, str, str, int], row) for row in history.query(FROM)]
    drains = (event for event in history.of("receive") if event.process.startswith(DRAIN))
    names = {event.address: instance_read_by(event.process) for event in drains}
    given: dict[str, int] = {}
    for _, source, address, number in rows:
        member = of_each(names.get(address, address), f"as_{source}")
        given[member] = given.get(member, 0) + number
    readers = {_consumer(process) for process, source, _, _ in rows if source == "slave"}
    slaves, masters = (sum(row[3] for row in rows if row[1] == source) for source in ("slave", "master"))
    numbers: dict[str, Number] = {"from_slaves": slaves, "from_masters": masters, **dict(sorted(given.items()))}
    text = f"{count(slaves, 'message')} from slaves, {masters:,} from masters"
    if len(readers) < bounds.from_slaves:
        text = f"{text}; to {len(readers)} of the {bounds.from_slaves:g} consumers that were to ask slaves"
        return CheckResult("served", Verdict.FAIL, text, numbers)
    return CheckResult("served", Verdict.PASS, text, numbers)


def _consumer(process: str) -> str:
    """Return the process that a name is of, whatever queue it read under that name."""
    name = ClientName.parse(process)
    return process if name is None else str(name.process)

"""The evidence of a finding: what became of a message or of a fault, from its events. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import cast

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.format import NEMESIS
from rmqops.chaos.history.reader import Drain, History
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, Evidence
from rmqops.model.history import Event


def count(number: int, noun: str) -> str:
    """Write a number with its noun, such as ``1 message`` and ``2,000 messages``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def not_drained(queues: Sequence[str]) -> str:
    """Say which queues nobody read back to the end."""
    more = f" and {len(queues) - 8} more" if len(queues) > 8 else ""
    return f"not read back to the end: {', '.join(queues[:8])}{more}"


def message_evidence(history: History, note: str, keys: Iterable[int]) -> tuple[Evidence, ...]:
    """Return one item for each key, at most ``EVIDENCE_LIMIT``: who sent it, when, and where it is and is not."""
    chosen = list(keys)[:EVIDENCE_LIMIT]
    events = history.events_of(chosen)
    return tuple(_message(note, events[key], history.drains) for key in chosen if key in events)


def indeterminate_evidence(history: History, note: str, keys: Iterable[int]) -> tuple[Evidence, ...]:
    """Do the same for indeterminate sends, whose lines are at hand, so that the file need not be read again.

    The place of an item is the first in which it was found: by member, group, queue and offset.
    """
    chosen = list(keys)[:EVIDENCE_LIMIT]
    rows = history.query(
        """select m.k, m.invoked / 1e6, m.ended / 1e6, u.key, u.process, u.topic, u.error,
            n.process, d.broker, d.queue, s.o
        from doubtful m join unknown u on u.k = m.k join stored s on s.k = m.k
            join name n on n.p = s.p join drain d on d.p = s.p and d.q = s.q
        where m.k in (select unnest($1::ubigint[]))
        order by m.invoked, m.k, n.process, d.broker, d.queue, s.o""",
        [chosen],
    )
    items: dict[int, Evidence] = {}
    for k, invoked, ended, key, process, topic, error, drain, broker, queue, offset in rows:
        item = items.get(cast(int, k)) or Evidence(
            f"{note}; the client saw: {error}" if error else note,
            key=str(key),
            process=str(process),
            t=cast(float, invoked),
            ended=cast(float, ended),
            topic=str(topic),
            broker=str(broker),
            queue=cast(int, queue),
            offset=cast(int, offset),
        )
        items[cast(int, k)] = replace(item, found=(*item.found, f"{drain} at {broker}/{queue}@{offset}"))
    return tuple(items.values())


def fault_evidence(faults: Sequence[FaultRecord], note: Callable[[FaultRecord], str]) -> tuple[Evidence, ...]:
    """Return one item for each fault, at most ``EVIDENCE_LIMIT``: its kind, whom it struck, and a note of each."""
    return tuple(
        Evidence(
            f"{fault.kind} of {fault.instance or fault.target}{note(fault)}",
            process=NEMESIS,
            t=fault.injected_at,
            address=fault.address,
        )
        for fault in faults[:EVIDENCE_LIMIT]
    )


def _message(note: str, events: Sequence[Event], drains: Sequence[Drain]) -> Evidence:
    sends = [event for event in events if event.op == "send"]
    reads = [event for event in events if event.op == "receive" and event.type == "ok"]
    first = sends[0] if sends else reads[0]
    answer = next((event for event in sends if event.type == "ok"), sends[-1] if sends else first)
    readers = {event.process for event in reads}
    expected = (drain for drain in drains if (drain.broker, drain.queue) == (answer.broker, answer.queue))
    return Evidence(
        note,
        key=first.key,
        process=first.process if sends else None,
        t=first.t,
        ended=answer.t if sends and answer.type != "invoke" else None,
        topic=answer.topic,
        broker=answer.broker,
        queue=answer.queue,
        offset=answer.offset,
        address=answer.address,
        found=tuple(f"{read.process} at {read.broker}/{read.queue}@{read.offset}" for read in reads),
        missing=tuple(drain.process for drain in expected if drain.process not in readers),
    )

"""What consumer groups had committed, as the members of broker groups told it over time. PURE.

The *register* of a consumer group and queue is what the master of the moment says: the one whom all NameServers
named that named anybody. A client that is given a queue begins there (``RemoteBrokerOffsetStore``). A slave takes
over its master's registers every 10 s (``SlaveSynchronize``), so a new master has older ones.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.routes import SILENCE, Span
from rmqops.model.history import Event

Queue = tuple[str, str, int]
"""Topic, broker group, number."""
Key = tuple[str, Queue]
"""Consumer group and queue."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one member said, at ``t``: the ``offset`` that the consumer group reads next."""

    t: float
    member: str
    address: str | None
    offset: int


@dataclass(frozen=True, slots=True)
class Tenure:
    """A time in which the NameServers that named a master of a group named this one."""

    start: float
    end: float
    address: str


@dataclass(frozen=True, slots=True)
class Step:
    """Two samples of a register, one after the other."""

    key: Key
    before: Sample
    after: Sample

    @property
    def back(self) -> int:
        """Return how many messages the register went back by."""
        return max(0, self.before.offset - self.after.offset)

    @property
    def changed(self) -> bool:
        """Tell whether another member had become master."""
        return self.before.address != self.after.address


def samples(events: Iterable[Event]) -> Iterator[tuple[Key, Sample]]:
    """Yield what members said of each consumer group and queue, in order.

    Raises:
        ValueError: an event is none of a member's answer.
    """
    for event in events:
        if event.type != "ok" or event.op != "committed":
            continue
        if event.key is None or event.topic is None or event.broker is None:
            raise ValueError("committed without a consumer group, a topic or a broker")
        for number, offset in (event.value or {}).items():
            sample = Sample(event.t, event.process, event.address, int(offset))
            yield (event.key, (event.topic, event.broker, int(number))), sample


@dataclass(frozen=True)
class Highest:
    """The highest offset of each register that anybody had told by some time."""

    _times: Mapping[Key, Sequence[float]]
    _offsets: Mapping[Key, Sequence[int]]

    def before(self, key: Key, t: float) -> int | None:
        """Return it; None where nobody had said anything."""
        place = bisect_right(self._times.get(key, ()), t)
        return self._offsets[key][place - 1] if place else None


def highest(events: Iterable[Event]) -> Highest:
    """Return how far each register had come, whatever became of it afterwards."""
    times: dict[Key, list[float]] = {}
    offsets: dict[Key, list[int]] = {}
    for key, sample in sorted(samples(events), key=lambda item: item[1].t):
        known = offsets.setdefault(key, [])
        if not known or sample.offset > known[-1]:
            known.append(sample.offset)
            times.setdefault(key, []).append(sample.t)
    return Highest(times, offsets)


def tenures(answers: Iterable[Span]) -> dict[str, list[Tenure]]:
    """Return for each broker group who was master when, in order; nobody where NameServers named several.

    What a NameServer said last of all holds until it is too old to believe.
    """
    edges: dict[str, list[tuple[float, int, str]]] = {}
    told = list(answers)
    last = max((span.end for span in told), default=0.0)
    latest = {(span.server, span.broker): span for span in told}
    for span in told:
        holds = span is latest[span.server, span.broker] and last - span.end < SILENCE
        end = span.end + SILENCE if holds else span.end
        if span.master is not None and end > span.start:
            edges.setdefault(span.broker, []).extend(((span.start, 1, span.master), (end, -1, span.master)))
    found: dict[str, list[Tenure]] = {}
    for broker, changes in edges.items():
        named: dict[str, int] = {}
        known = found.setdefault(broker, [])
        for (t, step, master), (until, *_) in pairwise([*sorted(changes), (math.inf, 0, "")]):
            named[master] = named.get(master, 0) + step
            masters = [each for each, number in named.items() if number]
            if len(masters) != 1 or until <= t or math.isinf(until):
                continue
            if known and known[-1].address == masters[0] and known[-1].end == t:
                known[-1] = Tenure(known[-1].start, until, masters[0])
            else:
                known.append(Tenure(t, until, masters[0]))
    return found


def registers(events: Iterable[Event], masters: Mapping[str, Sequence[Tenure]]) -> dict[Key, list[Sample]]:
    """Return what the master of the moment said of each consumer group and queue, in order."""
    starts = {broker: [tenure.start for tenure in known] for broker, known in masters.items()}
    found: dict[Key, list[Sample]] = {}
    for key, sample in sorted(samples(events), key=lambda item: item[1].t):
        broker = key[1][1]
        place = bisect_right(starts.get(broker, ()), sample.t)
        tenure = masters[broker][place - 1] if place else None
        if tenure is not None and sample.t <= tenure.end and tenure.address == sample.address:
            found.setdefault(key, []).append(sample)
    return found


def steps(known: Mapping[Key, Sequence[Sample]]) -> list[Step]:
    """Return every step of every register, in order of time."""
    found = [Step(key, *pair) for key, said in known.items() for pair in pairwise(said)]
    return sorted(found, key=lambda step: (step.after.t, step.key))


def restarted(step: Step, failures: Mapping[str, Sequence[float]], faults: Iterable[FaultRecord]) -> bool:
    """Tell whether the master was away between two samples, and a fault explains that.

    It keeps the registers in a file that it writes every 5 s (``flushConsumerOffsetInterval``).

    Args:
        step: The two samples.
        failures: When each member did not answer.
        faults: What was done, and to whom.
    """
    begin, end = step.before.t, step.after.t
    away = any(begin < t < end for t in failures.get(step.after.member, ()))
    return away and any(
        fault.instance == step.after.member
        and fault.injected_at is not None
        and fault.injected_at <= end
        and (fault.healed_at is None or fault.healed_at >= begin)
        for fault in faults
    )


def caught_up(step: Step, said: Sequence[Sample]) -> float | None:
    """Return after how many seconds a register that went back had come as far again; None if it never had."""
    later = (sample.t for sample in said if sample.t >= step.after.t and sample.offset >= step.before.offset)
    at = next(later, None)
    return None if at is None else at - step.after.t

"""What one answer brought to a read-back, as one line of the history. PURE.

A read-back has a line for each message of each member, which would be most of the file; neighbours that differ by
their key and the next offset only share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rmqops.chaos.history.format import DRAIN
from rmqops.model.history import Event, encoded

BATCH = 32
"""Messages in one line at most: as many as a broker gives in one answer."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages at consecutive offsets of one queue, that one answer brought to a drain."""

    first: Event
    keys: Sequence[str]
    """Of all of them, the first one included."""

    @property
    def t(self) -> float:
        """Return when they came."""
        return self.first.t

    def events(self) -> Iterator[Event]:
        """Return one event for each message."""
        begin = self.first.offset or 0
        return (replace(self.first, offset=offset, key=key) for offset, key in enumerate(self.keys, begin))

    def record(self) -> str:
        """Return the line of ``history.jsonl``, newline excluded."""
        fields = self.first.fields()
        fields.pop("key", None)
        return encoded({**fields, "keys": list(self.keys)})


def pack(events: Iterable[Event]) -> Iterator[Event | Batch]:
    """Put neighbours together that a drain read, and that differ by the key and the next offset only."""
    batch: list[Event] = []
    for event in events:
        if batch and (len(batch) == BATCH or not _follows(event, batch)):
            yield _batch(batch)
            batch = []
        if _may_share(event):
            batch.append(event)
        else:
            yield event
    if batch:
        yield _batch(batch)


def _may_share(event: Event) -> bool:
    read = event.op == "receive" and event.type == "ok" and event.process.startswith(DRAIN)
    return read and event.key is not None and event.offset is not None and event.offset >= 0


def _follows(event: Event, batch: Sequence[Event]) -> bool:
    first = batch[0]
    if event.key is None or event.offset != (first.offset or 0) + len(batch):
        return False
    return replace(event, offset=first.offset, key=first.key) == first


def _batch(events: Sequence[Event]) -> Batch:
    return Batch(events[0], [str(event.key) for event in events])

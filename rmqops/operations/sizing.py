"""How many brokers a load needs, and what each of them: arithmetic on measured figures. PURE.

What a message takes on a broker's disk: its frame in the commit log is 91 bytes beside body, topic and properties
(``CommitLog.calMsgLength``), DLedger puts 48 bytes before it (``DLedgerEntry.BODY_OFFSET``), and its entry in the
consume queue is 20 (``ConsumeQueue.CQ_STORE_UNIT_SIZE``).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

FRAME = 91 + 48 + 20
"""Bytes beside body, topic and properties."""
NAMES = 200
"""Bytes for topic, key and properties; the properties that a producer adds are some 100."""
FULL = 0.70
"""Of a disk; above it DLedger looks for what has expired (``DLedgerConfig.diskSpaceRatioToCheckExpired``)."""
HOT_MINUTES = 10.0
"""Messages of so many minutes should lie in the page cache, so that consumers who keep up read no disk."""


@dataclass(frozen=True)
class Demand:
    """What is asked of a cluster."""

    per_second: float
    """Messages."""
    size: int
    """Bytes of a body."""
    retention_hours: float
    readers: int = 1
    """Consumer groups that read everything."""


@dataclass(frozen=True)
class Measured:
    """What one broker group was seen to take."""

    per_second: float
    """Acknowledged messages."""
    size: int
    """Bytes of their bodies."""
    members: int
    """Brokers of the group."""


@dataclass(frozen=True)
class Size:
    """A cluster that is large enough; figures of one broker are those of a master, which has the most to do."""

    groups: int
    brokers: int
    per_second_of_a_group: float
    share_of_measured: float
    """What a group is asked for, as a part of what was measured."""
    disk_bytes: int
    """Of one broker: all that is kept, on a disk that stays below ``FULL``."""
    write_bytes_per_second: int
    """Of one broker's disk."""
    page_cache_bytes: int
    """Of one broker, beside heap and direct memory."""
    network_in_bits_per_second: int
    """Of one master."""
    network_out_bits_per_second: int
    """Of one master: to its followers and to consumers."""

    def document(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


def size(load: Demand, measured: Measured, headroom: float) -> Size:
    """Say how large a cluster must be.

    Args:
        load: What is asked for.
        measured: What a group takes, with messages of the same size or larger.
        headroom: The part of what was measured that is kept free, at least 0 and below 1: for peaks, for the
            time after an election, and for consumers who read what is old.
    """
    usable = measured.per_second * (1 - headroom)
    groups = max(1, math.ceil(load.per_second / usable))
    rate = load.per_second / groups
    stored = load.size + NAMES + FRAME
    sent = load.size + NAMES
    seconds = load.retention_hours * 3600
    return Size(
        groups=groups,
        brokers=groups * measured.members,
        per_second_of_a_group=rate,
        share_of_measured=rate / measured.per_second,
        disk_bytes=math.ceil(rate * stored * seconds / FULL),
        write_bytes_per_second=math.ceil(rate * stored),
        page_cache_bytes=math.ceil(rate * stored * HOT_MINUTES * 60),
        network_in_bits_per_second=math.ceil(8 * rate * sent),
        network_out_bits_per_second=math.ceil(8 * rate * sent * (measured.members - 1 + load.readers)),
    )

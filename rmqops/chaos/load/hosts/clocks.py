"""How far the clock of another host is from ours, by round trips, of which the quickest bounds it best."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rmqops.errors import OperationFailed
from rmqops.transport.base import Running

TRIPS = 40
LONGEST = 30
"""Bytes of a line that tells a time in nanoseconds, or a pid."""


@dataclass(frozen=True)
class Offset:
    """A measured offset between two monotonic clocks, in seconds."""

    seconds: float
    """What the host's clock shows more than ours."""
    bound: float
    """How far that may be from the truth, either way: half of the quickest round trip."""


def best(trips: Iterable[tuple[float, float, float]]) -> Offset:
    """Return the offset by the quickest of some round trips.

    The host read its clock at some moment between our asking and our hearing, so the middle is wrong by half of
    the time between at most, however unequal the two ways are.

    Args:
        trips: When we asked, what the host's clock showed, and when we heard it; seconds.
    """
    asked, shown, heard = min(trips, key=lambda trip: trip[2] - trip[0])
    return Offset(shown - (asked + heard) / 2, (heard - asked) / 2)


def measure(running: Running, host: str, clock: Callable[[], float] = time.monotonic) -> Offset:
    """Measure by a process that answers each byte with its clock in nanoseconds and a line's end.

    Raises:
        OperationFailed: it ended, or said something else.
        HostUnreachable: the connection was lost.
    """
    chunks = running.chunks()
    trips = []
    complaints = b""
    for _ in range(TRIPS):
        asked, line = clock(), b""
        running.tell(b"?")
        while b"\n" not in line:
            out, err = next(chunks, (None, b""))
            complaints += err
            line += out or b""
            if out is None:
                break
        if not line.strip().isdigit() or len(line) > LONGEST:
            text = (line + complaints).decode("utf-8", "replace").strip()
            raise OperationFailed(f"{host}: its clock cannot be read", detail=text[-2000:] or None)
        trips.append((asked, int(line) / 1e9, clock()))
    return best(trips)

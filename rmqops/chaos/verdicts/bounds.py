"""What the checks take as given: bounds and windows, in seconds. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from rmqops.errors import UsageError


@dataclass(frozen=True, slots=True)
class Bounds:
    """The questions that have a number in them; the defaults are those of every drill that ships.

    Attributes:
        sustained: A success is sustained when no send goes wrong for this long after it.
        agreement: How long two NameServers may disagree about a group's master. A broker registers with each of
            them on a connection of its own, at once after an election, so a second is long (``BrokerController``).
        heartbeat: How long a NameServer that was started again may know of no master: a broker's heartbeats come
            every 30 s (``registerNameServerPeriod``).
        standstill: Where a standstill is expected, from so long after the fault until its heal nothing may be
            acknowledged; an answer that was under way may still come before.
        rto_limit: An RTO beyond this fails ``availability``; 0 means that it is measured and not judged.
        uneven_limit: Percent; a group whose share of the messages is further from an equal one fails ``shares``; 0
            means the same.
        keys: How many keys the messages have by turns, which say what queue each goes to; 0 means one of
            its own for each.
        from_slaves: How many consumers read from slaves.
        clock_error: By how much the clocks of two hosts of the load may differ once their offset is taken off, as
            it was measured; 0 where all of it ran on one machine.
    """

    sustained: float = 5.0
    agreement: float = 2.0
    heartbeat: float = 35.0
    standstill: float = 3.0
    rto_limit: float = 0.0
    uneven_limit: float = 0.0
    keys: float = 0.0
    from_slaves: float = 0.0
    clock_error: float = 0.0

    def document(self) -> dict[str, float]:
        """Return the settings as ``result.json`` keeps them."""
        return asdict(self)

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Bounds:
        """Read settings from ``result.json``; a missing one has its default.

        Raises:
            UsageError: a name is unknown or a value is not a number of seconds.
        """
        known = {field.name for field in fields(cls)}
        seconds: dict[str, float] = {}
        for name, value in document.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and name in known:
                seconds[name] = float(value)
            else:
                raise UsageError(
                    f"the checks have no setting {name} = {value!r}",
                    remedy=f"use seconds, for one of {', '.join(sorted(known))}",
                )
        return cls(**seconds)

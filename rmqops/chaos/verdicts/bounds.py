"""What the checks take as given: bounds and windows, each in its unit. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from rmqops.chaos.verdicts.units import Unit
from rmqops.errors import UsageError

_SECONDS = {"unit": Unit.SECONDS}
_PERCENT = {"unit": Unit.PERCENT}
_COUNT = {"unit": Unit.COUNT}


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
        uneven_limit: A group whose share of the messages is further from an equal one fails ``shares``; 0 means
            the same.
        keys: How many keys the messages have by turns, which say what queue each goes to; 0 means one of
            its own for each.
        from_slaves: How many consumers read from slaves.
        catch_up: How long a consumer may need for a message that was acknowledged: one that nobody has read so
            long after that fails ``delivered``. With the official client, which polls routes and sends heartbeats
            now and then, a drill sets it by these times.
        stale: How long after a broker acknowledged a message it may still answer a consumer that there is
            none: a message is put into its queue after it is stored (``ReputMessageService``).
        clock_error: By how much the clocks of two hosts of the load may differ once their offset is taken off, as
            it was measured; 0 where all of it ran on one machine.
    """

    sustained: float = field(default=5.0, metadata=_SECONDS)
    agreement: float = field(default=2.0, metadata=_SECONDS)
    heartbeat: float = field(default=35.0, metadata=_SECONDS)
    standstill: float = field(default=3.0, metadata=_SECONDS)
    catch_up: float = field(default=60.0, metadata=_SECONDS)
    stale: float = field(default=5.0, metadata=_SECONDS)
    rto_limit: float = field(default=0.0, metadata=_SECONDS)
    uneven_limit: float = field(default=0.0, metadata=_PERCENT)
    keys: int = field(default=0, metadata=_COUNT)
    from_slaves: int = field(default=0, metadata=_COUNT)
    clock_error: float = field(default=0.0, metadata=_SECONDS)

    def document(self) -> dict[str, float]:
        """Return the settings as ``result.json`` keeps them."""
        return asdict(self)

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Bounds:
        """Read settings from ``result.json``; a missing one has its default.

        Raises:
            UsageError: a name is unknown, or a value is not a number in the setting's unit.
        """
        values: dict[str, Any] = {}
        for name, value in document.items():
            unit = UNITS.get(name)
            if unit is None:
                raise UsageError(
                    f"the checks have no setting {name} = {value!r}",
                    remedy=f"use one of {', '.join(sorted(UNITS))}",
                )
            number = _number(value)
            if number is None or number < 0 or (unit is Unit.COUNT and not number.is_integer()):
                raise UsageError(
                    f"the checks have no setting {name} = {value!r}, which is not {unit.words}",
                    remedy="give it one in result.json, or leave it out",
                )
            values[name] = int(number) if unit is Unit.COUNT else number
        return cls(**values)


UNITS: Mapping[str, Unit] = {each.name: each.metadata["unit"] for each in fields(Bounds)}
"""The unit of each bound, by its name."""


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def written(name: str, value: float) -> str:
    """Write a bound with its unit; one of another release, which has no unit here, stands alone."""
    return f"{value:g} {UNITS.get(name, Unit.COUNT).value}".rstrip()

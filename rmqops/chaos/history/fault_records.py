"""What the nemesis did: the faults of a history, each with its verification and its heal. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rmqops.chaos.history.format import ADDRESS, EXPECTS, INSTANCE, PHASE, RECOVERED, TARGET
from rmqops.model.history import Event


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One fault as it went; times are seconds since the drill's start, None where it did not come to that."""

    kind: str
    target: str
    instance: str | None = None
    address: str | None = None
    injected_at: float | None = None
    verified_at: float | None = None
    heal_started_at: float | None = None
    healed_at: float | None = None
    error: str | None = None
    phase: int = 1
    """The phase of the drill in which it was in force, from 1 on."""
    expects: str = "service"
    """What that phase expects: ``service``, ``standstill``, ``reads`` or ``anything``."""
    group: str | None = None
    """The broker group of the instance; None for a NameServer, and for a process of the load."""

    @property
    def injected(self) -> bool:
        """Tell whether the fault was attempted."""
        return self.injected_at is not None

    @property
    def verified(self) -> bool:
        """Tell whether the fault was seen to take effect."""
        return self.verified_at is not None

    @property
    def healed(self) -> bool:
        """Tell whether the fault was seen to be gone."""
        return self.healed_at is not None


def faults(events: Iterable[Event]) -> tuple[FaultRecord, ...]:
    """Return the faults in order of their injection.

    An outcome belongs to the latest fault of its kind and instance; a heal heals every one of them that is not yet
    healed, because the same kill twice is one dead process.
    """
    records: list[FaultRecord] = []
    for event in events:
        if event.op not in ("fault", "heal") or event.key == RECOVERED:
            continue
        value = event.value or {}
        kind, instance = event.key or "", value.get(INSTANCE)
        if event.op == "fault" and event.type == "invoke":
            records.append(
                FaultRecord(
                    kind,
                    value.get(TARGET, ""),
                    instance,
                    value.get(ADDRESS),
                    injected_at=event.t,
                    phase=_phase(value),
                    expects=value.get(EXPECTS, "service"),
                    group=event.broker,
                )
            )
            continue
        numbers = [n for n, fault in enumerate(records) if (fault.kind, fault.instance) == (kind, instance)]
        if event.op == "fault":
            for number in numbers[-1:]:
                records[number] = _verified(records[number], event)
        else:
            for number in numbers:
                records[number] = _healed(records[number], event)
    return tuple(records)


def _phase(value: Mapping[str, str]) -> int:
    number = value.get(PHASE, "1")
    return int(number) if number.isdecimal() else 1


def _verified(fault: FaultRecord, event: Event) -> FaultRecord:
    if event.type == "ok":
        return replace(fault, verified_at=event.t)
    return replace(fault, error=event.error or "its effect was not seen")


def _healed(fault: FaultRecord, event: Event) -> FaultRecord:
    if event.type == "invoke" and fault.heal_started_at is None:
        return replace(fault, heal_started_at=event.t)
    if event.type == "ok" and fault.healed_at is None:
        return replace(fault, healed_at=event.t)
    if event.type in ("fail", "info"):
        return replace(fault, error=event.error or "its heal was not verified")
    return fault


def heal_failed(records: Iterable[FaultRecord]) -> bool:
    """Tell whether a fault may still be in force: one that was injected and was not seen healed."""
    return any(fault.injected and not fault.healed for fault in records)

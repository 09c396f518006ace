"""What the nemesis did: the faults of a history, each with its verification and its heal. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rmqops.model.history import Event

RECOVERED = "recovered"
"""The key of the heal that is the cluster's own: it was healthy again."""


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
        """Tell whether the fault was seen to bite."""
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
    found: list[FaultRecord] = []
    for event in events:
        if event.op not in ("fault", "heal") or event.key == RECOVERED:
            continue
        value = event.value or {}
        kind, instance = event.key or "", value.get("instance")
        if event.op == "fault" and event.type == "invoke":
            found.append(
                FaultRecord(
                    kind,
                    value.get("target", ""),
                    instance,
                    value.get("address"),
                    injected_at=event.t,
                    phase=_phase(value),
                    expects=value.get("expects", "service"),
                    group=event.broker,
                )
            )
            continue
        mine = [number for number, one in enumerate(found) if (one.kind, one.instance) == (kind, instance)]
        if event.op == "fault":
            for number in mine[-1:]:
                found[number] = _verified(found[number], event)
        else:
            for number in mine:
                found[number] = _healed(found[number], event)
    return tuple(found)


def _phase(value: Mapping[str, str]) -> int:
    number = value.get("phase", "1")
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


def heal_failed(found: Iterable[FaultRecord]) -> bool:
    """Tell whether a fault may still be in force: one that was injected and was not seen healed."""
    return any(fault.injected and not fault.healed for fault in found)

"""A drill in which only what is sent, read and committed matters, made from what a test says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rmqops.chaos.history import run_record
from rmqops.chaos.history.run_record import Subscription
from rmqops.model.history import Event

TOPIC, BROKER, GROUP = "drill", "broker-a", "readers"
A, B = "127.0.0.1:1", "127.0.0.1:2"
NAMES = {A: "a-0", B: "a-1"}
END = 100.0

Read = tuple[float, str, int]
"""When, by whom, at which offset of queue 0."""
Told = tuple[float, str, int]
"""When, by which address, what a member said of queue 0."""


@dataclass(frozen=True)
class Delivering:
    """One queue; ``sent`` are the times at which messages were acknowledged, by offset."""

    sent: tuple[float, ...] = tuple(map(float, range(1, 11)))
    stored: int | None = None
    """So many of them the member holds; None for all."""
    reads: tuple[Read, ...] = ()
    consumers: Mapping[str, Subscription] = field(default_factory=dict)
    told: tuple[Told, ...] = ()
    masters: tuple[tuple[float, str], ...] = ((0.0, A),)
    """Who became master when."""
    killed: tuple[tuple[float, float, str, str], ...] = ()
    """From when to when, the broker group if it is a member, and whom."""
    silent: tuple[tuple[float, str], ...] = ()
    """When a member did not say what was committed."""

    def events(self) -> list[Event]:
        """Return the drill in order of time."""
        lines = [*self._sends(), *self._routes(), *self._commits(), *self._faults()]
        names = {name for _, name, _ in self.reads} - {name for *_, name in self.killed}
        if self.consumers:
            lines.append(run_record.begin(0.0, {}, (), self.consumers))
            lines += [run_record.wrote(END, name, [each[1] for each in self.reads].count(name)) for name in names]
            lines.append(run_record.end(END + 3, None))
        return sorted([*lines, *self._read_back()], key=lambda event: event.t)

    def _sends(self) -> Iterable[Event]:
        for offset, t in enumerate(self.sent):
            yield Event(t - 0.5, "producer-1", "send", "invoke", TOPIC, key=f"k{offset}")
            yield Event(t, "producer-1", "send", "ok", TOPIC, BROKER, 0, offset, f"k{offset}", address=A)
        for t, name, offset in self.reads:
            yield Event(t, name, "receive", "ok", TOPIC, BROKER, 0, offset, f"k{offset}", address=A)

    def _routes(self) -> Iterable[Event]:
        for second in range(int(END)):
            master = [address for t, address in self.masters if t <= second][-1]
            other = A if master == B else B
            yield Event(float(second), "namesrv-1", "route", "ok", broker=BROKER, value={"0": master, "1": other})

    def _commits(self) -> Iterable[Event]:
        for t, address, offset in self.told:
            value = {"0": str(offset)}
            yield Event(
                t, NAMES[address], "committed", "ok", TOPIC, BROKER, key=GROUP, address=address, value=value
            )
        for t, address in self.silent:
            yield Event(
                t, NAMES[address], "committed", "fail", TOPIC, BROKER, key=GROUP, error="gone", address=address
            )

    def _faults(self) -> Iterable[Event]:
        for begin, end, broker, name in self.killed:
            value = {"target": name, "instance": name, "address": "-"}
            for t, op in ((begin, "fault"), (end, "heal")):
                for kind in ("invoke", "ok"):
                    yield Event(t, "nemesis", op, kind, broker=broker or None, key="kill", value=value)  # type: ignore[arg-type]

    def _read_back(self) -> Iterable[Event]:
        held = len(self.sent) if self.stored is None else self.stored
        yield Event(END + 1, "drain-a-0", "receive", "invoke", TOPIC, BROKER, 0, held)
        for offset in range(held):
            yield Event(END + 2, "drain-a-0", "receive", "ok", TOPIC, BROKER, 0, offset, f"k{offset}", address=A)


def alone(*names: str) -> dict[str, Subscription]:
    """Return consumers that read everything each."""
    return {name: Subscription(TOPIC, None) for name in names}


def sharing(*names: str, group: str = GROUP) -> dict[str, Subscription]:
    """Return the members of a group."""
    return {name: Subscription(TOPIC, group) for name in names}


def reads(name: str, offsets: Iterable[int], after: float = 1.1) -> tuple[Read, ...]:
    """Return reads so long after the acknowledgements of a drill's usual sends."""
    return tuple((offset + after, name, offset) for offset in offsets)

"""A drill of two groups, made from what a test says of it: who was struck, who served when, who saw what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from rmqops.model.history import Event, Op, Type

FAULT, VERIFIED, HEAL, HEALED, RECOVERED, END = 10.0, 10.05, 25.0, 26.0, 27.0, 40.0
SERVERS = ("namesrv-1", "namesrv-2", "namesrv-3")
PACE = 0.05
"""Seconds between two sends of a producer."""
LATENCY = 0.004
TOPIC = "drill"


def address(group: str, member: int) -> str:
    """Return where a member listens."""
    return f"127.0.0.1:{10911 + 100 * (ord(group[-1]) - ord('a')) + 10 * member}"


@dataclass(frozen=True)
class Away:
    """A time in which a group acknowledges nothing and its NameServers name nobody."""

    start: float
    end: float
    then: int = 1
    """The member that is master afterwards."""


@dataclass(frozen=True)
class Imitated:
    """The drill; by default the master of ``broker-a`` is killed and another one serves after four seconds."""

    groups: tuple[str, ...] = ("broker-a", "broker-b")
    away: Mapping[str, Away] = field(default_factory=lambda: {"broker-a": Away(FAULT, FAULT + 4)})
    victims: Sequence[tuple[str, int]] = (("broker-a", 0),)
    """Group and member of each fault."""
    target: str = "master"
    kind: str = "kill"
    expects: str = "service"
    reroutes: bool = True
    """Producers send to another group while one is away; else they are refused."""
    load: tuple[float, float] = (0.5, END)
    pause: tuple[float, float] = (0, 0)
    """When nothing is sent, nor under way."""

    def master(self, group: str, t: float) -> int | None:
        """Return who is master of a group, None while there is none."""
        away = self.away.get(group)
        if away is None or t < away.start:
            return 0
        return None if t < away.end else away.then

    def events(self) -> list[Event]:
        """Return the drill in order of time, its read-back last."""
        sends = list(self._sends())
        lines = [*sends, *self._routes(), *self._nemesis()]
        return [*sorted(lines, key=lambda event: event.t), *self._leaders(), *self._read_back(sends)]

    def _sends(self) -> Iterator[Event]:
        offsets = {group: count() for group in self.groups}
        begin, end = self.load
        for number in range(int((end - begin) / PACE)):
            t = round(begin + number * PACE, 6)
            if self.pause[0] <= t < self.pause[1]:
                continue
            producer, key = f"producer-{1 + number % 2}", f"k{number:05d}"
            yield Event(t, producer, "send", "invoke", TOPIC, key=key)
            group: str | None = self.groups[number // 2 % len(self.groups)]
            if group is not None and self.master(group, t) is None:
                serving = [other for other in self.groups if self.master(other, t) is not None]
                group = serving[0] if serving and self.reroutes else None
            if group is None:
                yield Event(t + LATENCY, producer, "send", "fail", TOPIC, key=key, error="no route")
                continue
            master = self.master(group, t)
            assert master is not None
            stored = Event(
                t + LATENCY, producer, "send", "ok", TOPIC, group, 0, next(offsets[group]), key, None,
                address(group, master),
            )  # fmt: skip
            yield stored
            yield replace(stored, t=t + 2 * LATENCY, process="consumer-1", op="receive")

    def _routes(self) -> Iterator[Event]:
        for server in SERVERS:
            for group in self.groups:
                away = self.away.get(group)
                changes = [] if away is None else [t for t in (away.start + 0.03, away.end) if t < END]
                for t in sorted([*(0.01 + second for second in range(int(END))), *changes]):
                    yield Event(t, server, "route", "ok", broker=group, value=self.route(group, t))

    def route(self, group: str, t: float) -> dict[str, str]:
        """Return what a NameServer that knows everything at once answers."""
        master = self.master(group, t)
        dead = [member for name, member in self.victims if name == group and FAULT <= t < HEALED]
        return {
            "0" if member == master else str(member + 1): address(group, member)
            for member in range(3)
            if member == master or member not in dead
        }

    def _nemesis(self) -> Iterator[Event]:
        steps: tuple[tuple[float, Op, Type], ...] = (
            (FAULT, "fault", "invoke"),
            (VERIFIED, "fault", "ok"),
            (HEAL, "heal", "invoke"),
            (HEALED, "heal", "ok"),
        )
        for t, op, kind in steps:
            for group, member in self.victims:
                value = {
                    "target": self.target, "instance": f"{group}-{member}", "address": address(group, member),
                    "phase": "1", "expects": self.expects,
                }  # fmt: skip
                broker = None if group.startswith("namesrv") else group
                yield Event(t, "nemesis", op, kind, broker=broker, key=self.kind, value=value)
        yield Event(RECOVERED, "nemesis", "heal", "ok", key="recovered")

    def _leaders(self) -> Iterator[Event]:
        for group in self.groups:
            yield Event(END + 2, f"{group}-0", "leader", "ok", broker=group, value={"term": "0"})
            if group in self.away:
                yield Event(END + 2, f"{group}-1", "leader", "ok", broker=group, value={"term": "1"})

    def _read_back(self, sends: Sequence[Event]) -> Iterator[Event]:
        for group in self.groups:
            stored = [event for event in sends if (event.op, event.type, event.broker) == ("send", "ok", group)]
            for member in range(3):
                drain = Event(
                    END + 3, f"drain-{group}-{member}", "receive", "invoke", TOPIC, group, 0, len(stored),
                    address=address(group, member),
                )  # fmt: skip
                yield drain
                for event in stored:
                    yield replace(drain, t=END + 3.01, type="ok", offset=event.offset, key=event.key)

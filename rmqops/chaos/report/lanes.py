"""What each NameServer answered over time, in as few segments as its answers have. PURE.

NameServers never talk to each other (``RouteInfoManager``), so three of them can give three answers at once. Each
has a lane of its own for every group; nothing here is averaged or agreed on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rmqops.chaos.history.format import MASTER
from rmqops.chaos.history.routes import SILENCE

NO_ANSWER = "?"
"""The state of a segment in which the NameServer did not answer."""

SEGMENT_LIMIT = 1500
"""How many segments a lane may have; a lane that flaps more is drawn in cells, each in its worst state."""

Route = Mapping[str, str]
"""Broker id to address, as a NameServer tells it; empty when the group is not in its route."""


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """A time in which one NameServer gave the same answer; ``route`` is None when it gave none."""

    start: float
    end: float
    route: Route | None


@dataclass(frozen=True, slots=True)
class Segment:
    """An answer in letters, one for each member in the group's order: ``m`` master, ``s`` slave, ``a`` absent.

    The whole ``state`` is ``NO_ANSWER`` where the NameServer did not answer.
    """

    start: float
    end: float
    state: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One NameServer's answers about one group; time without a segment was not sampled."""

    nameserver: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class GroupLanes:
    """A broker group: every address that any route named, in order, and a lane for each NameServer."""

    name: str
    addresses: tuple[str, ...]
    lanes: tuple[Lane, ...]


def answers(samples: Iterable[tuple[float, Route | None]]) -> tuple[RouteAnswer, ...]:
    """Join samples in order of time; one holds until the next, or until it is too old to believe."""
    joined: list[RouteAnswer] = []
    seen = 0.0
    for t, route in samples:
        fresh = bool(joined) and t - seen <= SILENCE
        if joined:
            joined[-1] = RouteAnswer(joined[-1].start, t if fresh else seen, joined[-1].route)
        if not (fresh and joined[-1].route == route):
            joined.append(RouteAnswer(t, t, route))
        seen = t
    return tuple(joined)


def group(name: str, by_server: Mapping[str, Sequence[RouteAnswer]], end: float) -> GroupLanes:
    """Lay what each NameServer told about a group into lanes that stop at ``end`` (seconds)."""
    named = {
        address for given in by_server.values() for answer in given for address in (answer.route or {}).values()
    }
    addresses = tuple(sorted(named, key=_order))
    lanes = [Lane(server, _lay(given, addresses, end)) for server, given in sorted(by_server.items())]
    return GroupLanes(name, addresses, tuple(lanes))


def _lay(given: Sequence[RouteAnswer], addresses: Sequence[str], end: float) -> tuple[Segment, ...]:
    """Write answers in letters; the last one holds to the end of the drill if it is fresh enough."""
    drawn = [answer for answer in given if answer.start < end]
    if drawn and end - drawn[-1].end <= SILENCE:
        drawn[-1] = RouteAnswer(drawn[-1].start, end, drawn[-1].route)
    return _bounded(
        [Segment(each.start, min(each.end, end), _state(each.route, addresses)) for each in drawn], end
    )


def _order(address: str) -> tuple[str, int, str]:
    host, _, port = address.rpartition(":")
    return host, int(port) if port.isdecimal() else 0, port


def _state(route: Route | None, addresses: Sequence[str]) -> str:
    if route is None:
        return NO_ANSWER
    slaves = {address for broker_id, address in route.items() if broker_id != MASTER}
    master = route.get(MASTER)
    return "".join("m" if each == master else "s" if each in slaves else "a" for each in addresses)


def _bounded(segments: list[Segment], end: float) -> tuple[Segment, ...]:
    if len(segments) <= SEGMENT_LIMIT:
        return tuple(segments)
    cell = end / SEGMENT_LIMIT
    drawn: list[Segment] = []
    for segment in segments:
        last = drawn[-1] if drawn else None
        if last is not None and int(last.start / cell) == int(segment.start / cell):
            drawn[-1] = Segment(last.start, segment.end, min(last.state, segment.state, key=_soundness))
        else:
            drawn.append(segment)
    return tuple(drawn)


def _soundness(state: str) -> tuple[int, int]:
    return state.count("m"), state.count("s")

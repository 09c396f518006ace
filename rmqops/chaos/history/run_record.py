"""What a run says of itself in its history: what was asked, that it ended, how much each process wrote. PURE.

A history that was made before there were such lines has none, and is judged without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rmqops.chaos.history.format import RUN, ClientName
from rmqops.model.history import Event

BOUNDS, DUE, CONSUMERS, LINES = "bounds", "checks", "consumers", "lines"
"""In the ``value`` of the run's ``invoke``: the bounds of the checks, as JSON; the checks that must have a
result, by name, with commas; what each consumer reads, as JSON. In that of a process's end: how many lines it
wrote."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a consumer reads."""

    topic: str
    group: str | None
    """The consumer group whose members share the topic's queues; None where each reads all of them."""


@dataclass(frozen=True)
class RunRecord:
    """What the lines of ``run`` say."""

    begun: bool = False
    """It said what was asked, so it must have said that it ended."""
    bounds: Mapping[str, object] = field(default_factory=dict)
    due: tuple[str, ...] = ()
    consumers: Mapping[str, Subscription] = field(default_factory=dict)
    """By the name of the consumer's place; none in a history that does not say."""
    ended: bool = False
    cut_short: str | None = None
    """Why it ended before its time."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """How many lines a process says that it wrote, by its name."""


def begin(
    t: float, bounds: Mapping[str, float], due: Sequence[str], consumers: Mapping[str, Subscription]
) -> Event:
    """Return the line with which a run begins."""
    told = {name: [each.topic, each.group] for name, each in consumers.items()}
    value = {BOUNDS: json.dumps(dict(bounds)), DUE: ",".join(due), CONSUMERS: json.dumps(told)}
    return Event(t, RUN, "run", "invoke", value=value)


def end(t: float, problem: str | None) -> Event:
    """Return the line with which a run ends; ``problem`` is what cut it short."""
    return Event(t, RUN, "run", "fail" if problem else "ok", error=problem)


def wrote(t: float, process: str, lines: int) -> Event:
    """Return the line that says how many lines a process of the load wrote, once it has ended in order."""
    return Event(t, process, "run", "ok", value={LINES: str(lines)})


def read(events: Iterable[Event]) -> RunRecord:
    """Read the lines of ``run``.

    Raises:
        ValueError: one is none.
    """
    begun, ended, cut_short, lines = None, False, None, dict[str, int]()
    for event in events:
        value = event.value or {}
        if event.process != RUN:
            lines[event.process] = int(value.get(LINES, ""))
        elif event.type == "invoke":
            begun = value
        else:
            ended, cut_short = True, None if event.type == "ok" else event.error or "no reason given"
    if begun is None:
        return RunRecord(ended=ended, cut_short=cut_short, lines=lines)
    bounds = json.loads(begun.get(BOUNDS, "{}"))
    if not isinstance(bounds, dict):
        raise ValueError("the bounds of the run are no map")
    due = tuple(name for name in begun.get(DUE, "").split(",") if name)
    return RunRecord(True, bounds, due, _consumers(begun.get(CONSUMERS, "{}")), ended, cut_short, lines)


def _consumers(text: str) -> dict[str, Subscription]:
    told = json.loads(text)
    if not isinstance(told, dict):
        raise ValueError("the consumers of the run are no map")
    consumers = {}
    for name, each in told.items():
        if not isinstance(each, list) or [type(item) for item in each] not in ([str, str], [str, type(None)]):
            raise ValueError(f"what {name} reads is no topic and consumer group")
        consumer = ClientName.parse(name)
        if consumer is None or consumer != consumer.place or consumer.role != "consumer":
            raise ValueError(f"{name} is no place of a consumer")
        consumers[name] = Subscription(*each)
    return consumers

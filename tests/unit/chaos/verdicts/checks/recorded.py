"""Two small good histories, and ways to write one and judge it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from benchmarks.make_history import Imitation, Shape
from rmqops.chaos.history.lines import events
from rmqops.chaos.history.reader import open_history
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.checks import discover
from rmqops.chaos.verdicts.verdict import CheckResult
from rmqops.model.history import Event

SMALL_RANGES = 4
"""Ranges of 16 offsets, so that a small history has settled ones as well as open ones."""


@cache
def good(seed: int = 3) -> tuple[Event, ...]:
    """Return a history in which everything went well: about 250 sends, one leader killed."""
    shape = Shape(60, seed=seed, queues=2, producers=2, in_flight=2, consumers=1, pace=0.3)
    return tuple(Imitation(shape).events())


@cache
def grouped(seed: int = 3) -> tuple[Event, ...]:
    """Return the same with two consumers that are one group, commit, and share two queues; the run says so."""
    shape = Shape(60, seed=seed, queues=2, producers=2, in_flight=2, consumers=2, pace=0.3, commits=True)
    return tuple(Imitation(shape).events())


@cache
def recorded() -> tuple[Event, ...]:
    """Return the history of a real drill against RocketMQ 4.5.2, 555 sends; all was well.

    Its phases: the master killed; the master paused; two members paused, so that nothing was to be acknowledged.
    """
    return tuple(events(Path(__file__).with_name("recorded.jsonl")))


def write(events: Iterable[Event], directory: Path) -> Path:
    path = directory / "history.jsonl"
    path.write_text("".join(event.line() + "\n" for event in events), encoding="utf-8")
    return path


def judge(events: Iterable[Event], directory: Path, settings: Bounds | None = None) -> dict[str, CheckResult]:
    """Run every check, with small ranges."""
    with open_history(write(events, directory), SMALL_RANGES) as history:
        results = {name: check(history, settings or Bounds()) for name, check in discover().items()}
    return {name: result for name, result in results.items() if result is not None}


def acknowledged(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.op == "send" and event.type == "ok"]


def is_read(event: Event, key: str | None) -> bool:
    return event.op == "receive" and event.type == "ok" and event.key == key


def drained(event: Event) -> bool:
    return event.op == "receive" and event.process.startswith("drain-")


def longer(events: Iterable[Event], queue: Event, key: str | None) -> list[Event]:
    """Put one more message at the end of a queue, in every member."""
    result: list[Event] = []
    for event in events:
        if drained(event) and event.queue == queue.queue and event.type == "invoke":
            end = event.offset or 0
            result.append(replace(event, offset=end + 1))
            result.append(replace(event, type="ok", offset=end, key=key, address="127.0.0.1:1"))
        else:
            result.append(event)
    return result


def end_of(events: Iterable[Event], queue: Event) -> int:
    return next(
        event.offset or 0
        for event in events
        if drained(event) and event.type == "invoke" and event.queue == queue.queue
    )

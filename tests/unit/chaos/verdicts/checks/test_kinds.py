"""What once talked a verdict into a pass, or accused falsely: a drill of each kind, and what is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import Verdict
from rmqops.model.history import Event
from tests.unit.chaos.verdicts.checks.imitated import (
    END,
    FAULT,
    HEAL,
    HEALED,
    SERVERS,
    Away,
    Imitated,
    address,
)
from tests.unit.chaos.verdicts.checks.recorded import write

Events = list[Event]
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE

MAJORITY = Imitated(
    away={"broker-a": Away(FAULT, HEALED + 1, then=0)},
    victims=(("broker-a", 1), ("broker-a", 2)),
    target="majority",
    expects="standstill",
)
BY_NAMES = replace(MAJORITY, target="broker-a-1,broker-a-2")
NAMESERVERS = Imitated(
    away={},
    victims=(("namesrv-1", 0), ("namesrv-2", 0), ("namesrv-3", 0)),
    target="namesrv-all",
    expects="standstill",
)
ONE_GROUP = Imitated(groups=("broker-a",))


def keeps_the_dead_master(server: str, until: float) -> Events:
    """One NameServer, which nobody struck, goes on to name the dead master for a while."""
    return [
        replace(event, value=ONE_GROUP.route("broker-a", 0.0))
        if (event.op, event.process) == ("route", server) and FAULT < event.t < until
        else event
        for event in ONE_GROUP.events()
    ]


def never_names_a_master(server: str) -> Events:
    """One NameServer names nobody any more from the fault on."""
    return [
        replace(event, value={"2": address("broker-a", 1)})
        if (event.op, event.process) == ("route", server) and event.t > FAULT
        else event
        for event in ONE_GROUP.events()
    ]


def acknowledged_in_a_standstill(sent: float, ended: float) -> Events:
    """One message is acknowledged by the struck group in the midst of the standstill."""
    events = MAJORITY.events()
    end = next(event.offset for event in events if event.process == "drain-broker-a-0" and event.type == "invoke")
    late = Event(sent, "producer-1", "send", "invoke", "drill", key="late")
    stored = Event(
        ended, "producer-1", "send", "ok", "drill", "broker-a", 0, end, "late", None, address("broker-a", 0)
    )
    read = [
        line
        for event in events
        for line in (
            [replace(event, offset=(end or 0) + 1), replace(event, type="ok", offset=end, key="late")]
            if event.process.startswith("drain-broker-a") and event.type == "invoke"
            else [event]
        )
    ]
    return sorted([*read, late, stored], key=lambda event: event.t)


def without(condition: Callable[[Event], bool], drill: Imitated = ONE_GROUP) -> Events:
    return [event for event in drill.events() if not condition(event)]


def one_success_before_the_heal() -> Events:
    """Sends are refused until just after the heal, but for one acknowledgement just before it."""
    drill = replace(ONE_GROUP, away={"broker-a": Away(FAULT, HEAL - 0.05, then=1)})
    return drill.events()


def clock_goes_back(process: str, seconds: float) -> Events:
    return [
        replace(event, t=event.t - seconds) if event.process == process and event.t > 20 else event
        for event in ONE_GROUP.events()
    ]


def hole_everywhere() -> Events:
    """A place of the queue at which nothing was acknowledged, and which no member gave back."""
    return [
        replace(event, offset=event.offset + 1)
        if event.offset is not None
        and (event.offset >= 50 or event.type == "invoke")
        and event.broker == "broker-a"
        else event
        for event in ONE_GROUP.events()
    ]


def read_at_a_second_place() -> Events:
    """A consumer read a message at its own place and behind the end that the members have now."""
    events = ONE_GROUP.events()
    read = next(event for event in events if event.process == "consumer-1" and event.t > 30)
    end = next(event.offset for event in events if event.process == "drain-broker-a-0")
    place = next(number for number, event in enumerate(events) if event.t > 39)
    return [*events[:place], replace(read, t=39.0, offset=(end or 0) + 1), *events[place:]]


def second_phase(*, recovered: bool) -> Events:
    """Another phase follows; somebody asks after it whether the cluster is healthy, or nobody does."""
    again = [
        replace(event, t=event.t + 20, value={**(event.value or {}), "phase": "2", "expects": "anything"})
        for event in ONE_GROUP.events()
        if event.op in ("fault", "heal") and (recovered or event.key != "recovered")
    ]
    again = [replace(event, t=min(event.t, END - 1)) for event in again]
    again = [replace(event, value=None) if event.key == "recovered" else event for event in again]
    lines = [event for event in ONE_GROUP.events() if event.t <= END]
    rest = [event for event in ONE_GROUP.events() if event.t > END]
    return sorted([*lines, *again], key=lambda event: event.t) + rest


KINDS: dict[str, tuple[Callable[[], Events], dict[str, Verdict]]] = {
    # controls
    "one group": (ONE_GROUP.events, {"overall": PASS}),
    "two groups": (Imitated().events, {"overall": PASS, "service": PASS}),
    "a majority by a word": (MAJORITY.events, {"overall": PASS, "routes": PASS, "service": PASS}),
    # the struck group alone, and every NameServer alone
    "the struck group elects nobody while another serves": (
        replace(Imitated(), away={"broker-a": Away(FAULT, HEALED + 1, then=0)}).events,
        {"overall": FAIL, "service": FAIL},
    ),
    "a majority by names": (BY_NAMES.events, {"overall": PASS, "routes": PASS, "service": PASS}),
    "another group loses its master in a majority's phase": (
        replace(MAJORITY, away={**MAJORITY.away, "broker-b": Away(12, 20)}, reroutes=False).events,
        {"routes": FAIL},
    ),
    "a NameServer keeps the dead master": (lambda: keeps_the_dead_master(SERVERS[2], 30), {"routes": FAIL}),
    "a NameServer is a second late": (lambda: keeps_the_dead_master(SERVERS[2], 15), {"overall": PASS}),
    "a NameServer names nobody any more": (lambda: never_names_a_master(SERVERS[1]), {"routes": FAIL}),
    "nobody sampled the NameServers in the outage": (
        lambda: without(lambda event: event.op == "route" and 11 < event.t < 20),
        {"overall": INCONCLUSIVE, "routes": INCONCLUSIVE},
    ),
    # standstill
    "acknowledged late in a standstill": (lambda: acknowledged_in_a_standstill(11, 19), {"service": FAIL}),
    "acknowledged before it": (lambda: acknowledged_in_a_standstill(9.5, 12), {"service": PASS}),
    "a standstill of NameServers that is served": (NAMESERVERS.events, {"service": FAIL}),
    # the load
    "one success right before the heal": (one_success_before_the_heal, {"overall": INCONCLUSIVE}),
    "the load ends too early": (
        lambda: replace(ONE_GROUP, load=(0.5, 17)).events(),
        {"overall": INCONCLUSIVE},
    ),
    "the load stands still once service is back": (
        replace(ONE_GROUP, pause=(15, 28)).events,
        {"overall": INCONCLUSIVE, "service": INCONCLUSIVE, "availability": PASS},
    ),
    # the history
    "an acknowledgement's line is missing": (
        lambda: without(lambda event: (event.op, event.type, event.key) == ("send", "ok", "k00500")),
        {"history": INCONCLUSIVE},
    ),
    "a clock goes back": (lambda: clock_goes_back("producer-1", 5.0), {"overall": INCONCLUSIVE}),
    # what was read
    "a hole in every read-back": (hole_everywhere, {"overall": INCONCLUSIVE, "lost": INCONCLUSIVE}),
    "one queue of one member was not read": (
        lambda: without(lambda event: event.process == "drain-broker-a-2"),
        {"overall": INCONCLUSIVE, "replicas": INCONCLUSIVE},
    ),
    "a second copy was read and is gone": (read_at_a_second_place, {"lost": FAIL, "duplicated": FAIL}),
    # faults
    "the victim was not the master": (
        replace(ONE_GROUP, away={}, victims=(("broker-a", 1),)).events,
        {"overall": INCONCLUSIVE, "faults": INCONCLUSIVE},
    ),
    "the dead broker acknowledges": (
        replace(ONE_GROUP, away={}, kind="pause").events,
        {"overall": INCONCLUSIVE, "faults": INCONCLUSIVE},
    ),
    "nobody asked whether it was healthy after the second phase": (
        lambda: second_phase(recovered=False),
        {"recovery": INCONCLUSIVE},
    ),
    "somebody asked": (lambda: second_phase(recovered=True), {"recovery": PASS}),
    "who led in which term is missing": (
        lambda: without(lambda event: event.op == "leader"),
        {"overall": INCONCLUSIVE, "leaders": INCONCLUSIVE},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_verdict_for_each_kind(kind: str, tmp_path: Path) -> None:
    events, expected = KINDS[kind]

    verdicts = evaluate(write(events(), tmp_path))

    words = {result.name: result.verdict for result in verdicts.results} | {"overall": verdicts.overall}
    summaries = {result.name: result.summary for result in verdicts.results if result.verdict is not PASS}
    assert {name: words.get(name) for name in expected} == expected, summaries

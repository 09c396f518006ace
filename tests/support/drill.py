"""A small drill made by hand: one fault, three NameServers, one group of three, and whatever a test adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.format import DRAIN, FILE, NEMESIS, RECOVERED
from rmqops.chaos.report.result import Result, write_result
from rmqops.chaos.verdicts.verdict import CheckResult, Counts, Evidence, Verdict, Verdicts, overall
from rmqops.model.history import Event, Type

ADDRESSES = ("127.0.0.1:10911", "127.0.0.1:10921", "127.0.0.1:10931")
NAMESERVERS = ("namesrv-1", "namesrv-2", "namesrv-3")
FAULT, NEW_MASTER, HEALED, END = 5.0, 10.0, 14.0, 20.0
PER_SECOND = 20
LATENCY = 0.004


def history(*, expects: str = "service", new_master: float = NEW_MASTER, end: float = END) -> list[Event]:
    """Tell the drill: 20 sends a second, refused between the fault and the new master, all read back.

    Args:
        expects: What the phase expects of the service.
        new_master: When there is a master again, in seconds from the start.
        end: When the last message is sent.
    """
    events = [*_sends(new_master, end), *_routes(new_master, end), *_nemesis(expects)]
    return sorted(events, key=lambda event: event.t) + list(_drains(end))


def _sends(new_master: float, end: float) -> Iterator[Event]:
    for number in range(int(end * PER_SECOND)):
        t = number / PER_SECOND
        sent = Event(
            t, "producer-1", "send", "invoke", topic="drill", broker="broker-a", queue=0, key=f"k{number}"
        )
        yield sent
        if FAULT <= t < new_master:
            kind: Type = "info" if t < FAULT + 0.2 else "fail"
            reason = "connection lost" if kind == "info" else "no master in the route"
            yield replace(sent, t=t + LATENCY, type=kind, error=reason)
        else:
            yield replace(sent, t=t + LATENCY, type="ok", offset=number, address=ADDRESSES[0])
            yield replace(sent, t=t + 2 * LATENCY, process="consumer-1", op="receive", type="ok", offset=number)


def _routes(new_master: float, end: float) -> Iterator[Event]:
    before, without, after = (
        dict(zip(ids, ADDRESSES, strict=True)) for ids in (("0", "2", "3"), ("", "2", "3"), ("1", "0", "3"))
    )
    without.pop("")
    for server in NAMESERVERS:
        changes = [(0.0, before), (FAULT + 0.05, without), (new_master, after)]
        for second in (*range(int(end)), *(at for at, _ in changes)):
            value = [route for at, route in changes if at <= second][-1]
            yield Event(float(second), server, "route", "ok", broker="broker-a", value=value)


def _nemesis(expects: str) -> Iterator[Event]:
    value = {"target": "master", "instance": "broker-a-n0", "address": ADDRESSES[0], "expects": expects}
    yield Event(FAULT, NEMESIS, "fault", "invoke", broker="broker-a", key="kill", value=value)
    yield Event(FAULT + 0.03, NEMESIS, "fault", "ok", broker="broker-a", key="kill", value=value)
    yield Event(HEALED - 1, NEMESIS, "heal", "invoke", key="kill", value=value)
    yield Event(HEALED, NEMESIS, "heal", "ok", key="kill", value=value)
    yield Event(HEALED + 1, NEMESIS, "heal", "ok", key=RECOVERED)


def _drains(end: float) -> Iterator[Event]:
    for number, address in enumerate(ADDRESSES):
        drain = Event(
            end + 30, f"{DRAIN}broker-a-n{number}", "receive", "ok", "drill", "broker-a", 0, 0, "k0", None, address
        )
        yield replace(drain, type="invoke", offset=1, key=None)
        yield drain


def result(
    *verdicts: Verdict, text: str = "as it should be", heal_failed: bool = False, counts: Counts | None = None
) -> Result:
    """Judge the drill: a check for each verdict, each with a piece of evidence that holds ``text``."""
    checks = tuple(
        CheckResult(
            "availability" if number == 0 else f"check-{number}",
            verdict,
            f"{text} {number}",
            {
                "route_lost_all_ms": 61.5,
                "new_master_all_ms": 5000,
                "first_acknowledged_ms": 5100,
                "sustained_ms": None,
            },
            (
                Evidence(
                    text, key=text, process=text, t=1.0, ended=2.0, topic=text, broker=text, missing=(text, text)
                ),
            ),
        )
        for number, verdict in enumerate(verdicts)
    )
    fault = FaultRecord(
        "kill",
        "master",
        "broker-a-n0",
        ADDRESSES[0],
        FAULT,
        FAULT + 0.03,
        healed_at=None if heal_failed else HEALED,
    )
    judged = Verdicts(
        overall(checks, heal_failed=heal_failed),
        checks,
        counts or Counts(300, 96, 4, lost=0, recovered=2, duplicated=0, unexpected=0, rto_ms=5100.0),
        (fault,),
        heal_failed,
    )
    return Result(
        "kill-master",
        "local",
        7,
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:05:06Z",
        judged,
        {"sustained": 5.0},
        "4.5.2",
    )


def write_run(directory: Path, judged: Result, events: Iterable[Event] | None = None) -> Path:
    """Write the two files that a report is made of."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = [event.line() + "\n" for event in (history() if events is None else events)]
    (directory / FILE).write_text("".join(lines), encoding="utf-8")
    write_result(directory, judged)
    return directory

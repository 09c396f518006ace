"""A NameServer drops a broker that stands still with its sockets open, 120 s after its last heartbeat.

Nothing tells a NameServer that such a broker is silent. A broker registers every 30 s
(``registerNameServerPeriod``), and a scan every 10 s drops one that was unheard for 120 s
(``RouteInfoManager.BROKER_CHANNEL_EXPIRED_TIME``, ``NamesrvController``): 90 to 130 s after it stood still.
Judged for each slave that was paused at least that long and each NameServer that knew it; a drill without one
leaves this check out. A master is not judged: the next one takes its id, so that its address goes at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from rmqops.chaos.history.fault_records import FaultRecord, faults
from rmqops.chaos.history.format import MASTER
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.routes import SILENCE
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.evidence import count
from rmqops.chaos.verdicts.verdict import EVIDENCE_LIMIT, CheckResult, Evidence, Verdict
from rmqops.model.history import Event

SILENT = "pause"
"""The fault that leaves the sockets open and sends nothing."""
EXPIRED = 120.0
"""Seconds without a heartbeat after which a scan drops a broker."""
SCAN = 10.0
"""Seconds between two scans."""
UNSEEN = -1.0
"""In the place of the seconds until a drop that nobody saw."""


def check(history: History, bounds: Bounds) -> CheckResult | None:
    """Measure when each NameServer dropped each broker that was paused for long enough."""
    soonest, latest = EXPIRED - bounds.heartbeat, EXPIRED + SCAN + bounds.agreement
    routes = list(history.of("route"))
    measured = [
        (fault, server, took)
        for fault in faults(history.of("fault", "heal"))
        if fault.kind == SILENT and fault.verified_at is not None and _held(fault) >= latest
        for server, took in _drops(routes, fault)
    ]
    if not measured:
        return None
    unseen = [server for _, server, took in measured if took is UNSEEN]
    told = [(fault, server, took) for fault, server, took in measured if took is not UNSEEN]
    kept = [item for item in told if item[2] is None or item[2] > latest]
    early = [item for item in told if item[2] is not None and item[2] < soonest]
    known = [took for _, _, took in told if took is not None]
    numbers = {
        "nameservers": len({server for _, server, _ in measured}),
        "dropped_first_ms": round(1000 * min(known), 3) if known else None,
        "dropped_last_ms": round(1000 * max(known), 3) if known else None,
    }
    if kept or early:
        text = f"{count(len(kept), 'NameServer')} kept a silent broker too long, {len(early)} dropped it too soon"
        return CheckResult("expiry", Verdict.FAIL, text, numbers, _evidence([*kept, *early]))
    if unseen:
        text = f"when {', '.join(sorted(set(unseen)))} dropped the silent broker nobody saw"
        return CheckResult("expiry", Verdict.INCONCLUSIVE, text, numbers)
    span = f"{min(known):.1f} to {max(known):.1f} s"
    return CheckResult("expiry", Verdict.PASS, f"each NameServer dropped the silent broker after {span}", numbers)


def _held(fault: FaultRecord) -> float:
    return (math.inf if fault.heal_started_at is None else fault.heal_started_at) - (fault.verified_at or 0.0)


def _drops(routes: Sequence[Event], fault: FaultRecord) -> Iterator[tuple[str, float | None]]:
    """Yield each NameServer that named the broker as a slave, with the seconds until it named it no more.

    None where it named it to the end; :data:`UNSEEN` where it was not sampled, or did not answer, for longer than
    a sample stands, before it was seen to name it no more.
    """
    begin, end = fault.verified_at or 0.0, fault.heal_started_at
    for server in sorted({event.process for event in routes}):
        lines = [event for event in routes if event.process == server]
        before = [event for event in lines if event.t <= begin and event.type == "ok" and _names(event, fault)]
        if not before or (before[-1].value or {}).get(MASTER) == fault.address:
            continue
        group = before[-1].broker
        later = [
            event
            for event in lines
            if event.type == "ok" and event.broker == group and event.t > begin and (end is None or event.t < end)
        ]
        gone = next((event for event in later if not _names(event, fault)), None)
        until = gone.t if gone is not None else later[-1].t if end is None and later else end or begin
        times = [begin, *(event.t for event in later if event.t <= until), until]
        if max(after - earlier for earlier, after in pairwise(times)) > SILENCE:
            yield server, UNSEEN
        else:
            yield server, None if gone is None else gone.t - begin


def _names(event: Event, fault: FaultRecord) -> bool:
    return fault.address in (event.value or {}).values()


def _evidence(odd: Sequence[tuple[FaultRecord, str, float | None]]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            f"{server} {'never dropped' if took is None else f'dropped after {took:.1f} s'}"
            f" {fault.instance} ({fault.address}), which stood still for {_held(fault):.1f} s",
            process=server,
            t=fault.verified_at,
            address=fault.address,
        )
        for fault, server, took in odd[:EVIDENCE_LIMIT]
    )

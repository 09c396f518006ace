"""How many messages a cluster takes while nothing is wrong: the load of a drill without a fault, at full speed."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from rmqops.chaos.drill import guard
from rmqops.chaos.history.lines import parse_line
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.load.clients.drivers import Driver
from rmqops.chaos.load.clients.settings import ProducerSettings
from rmqops.chaos.load.roster import process_settings
from rmqops.chaos.load.settings import Load as Wanted
from rmqops.chaos.load.workers import Workers
from rmqops.chaos.run import preflight
from rmqops.errors import Inconclusive, OperationFailed
from rmqops.model.topology import Topology
from rmqops.operations.topics import topics
from rmqops.remoting.client import Client
from rmqops.system import event_loop, waiting
from rmqops.transport.base import transport_for

WARM_UP = 5.0
"""Seconds that do not count: connections, and the brokers' compilers."""
FLOWS_WITHIN = 30.0
LOOK = 0.1


@dataclass(frozen=True)
class GroupThroughput:
    """What one broker group took."""

    group: str
    members: int
    acknowledged: int
    per_second: float
    p50_ms: float
    p99_ms: float
    """From the send to its acknowledgement."""


@dataclass(frozen=True)
class Bench:
    """What a cluster took."""

    cluster: str
    version: str
    seconds: float
    size: int
    """Bytes of a body."""
    producers: int
    in_flight: int
    """Sends of each producer that were under way at once."""
    per_second: float
    """Acknowledged messages, of all groups."""
    failed: int
    """Sends that were refused, or whose outcome nobody knows."""
    shares: tuple[GroupThroughput, ...]

    def document(self) -> dict[str, object]:
        """Return it as ``rmqops bench --json`` prints it and ``rmqops size --figures`` reads it."""
        return asdict(self)


def run(
    topology: Topology, wanted: Wanted, seconds: float, typed: str | None, say: Callable[[str], None]
) -> Bench:
    """Load a healthy cluster for a time; a topic of its own is made before and removed after it.

    Args:
        topology: The cluster.
        wanted: Who sends, and what; its rate is 0.
        seconds: How long it counts.
        typed: The cluster's name, if it was typed.
        say: Told of each step.

    Raises:
        Unsafe: the cluster is not marked as drillable, and was not named; no command was sent.
        PreflightFailed: it is not healthy, or a drill is running.
        Inconclusive: the load did not flow, or a process of it died.
    """
    guard.permit(topology, typed)
    with preflight.exclusive(topology), tempfile.TemporaryDirectory(prefix="rmqops-bench-") as directory:
        preflight.steady(topology, transport_for)
        driver = preflight.driver(topology, wanted)
        with Recorder(Path(directory)) as recorder:
            begin = event_loop.run(_perform(topology, wanted, seconds, recorder, driver, say))
        with recorder.path.open(encoding="utf-8") as lines:
            return measured(topology, wanted, lines, begin, begin + seconds)


async def _perform(
    topology: Topology,
    wanted: Wanted,
    seconds: float,
    recorder: Recorder,
    driver: Driver,
    say: Callable[[str], None],
) -> float:
    """Load the cluster, and return when that began to count."""
    topic = topics.of_drill(f"bench-{recorder.path.parent.name.rpartition('-')[2]}", 1)[0]
    load = Workers(recorder, driver)

    async def silent() -> str | None:
        load.alive()
        return None if all(one.count.acknowledged for one in load.producers) else load.trouble()

    async with Client() as client:
        writing = asyncio.ensure_future(recorder.keep_flushing())
        try:
            await topics.create(topology, client, topic, wanted.queues)
            senders = [
                one
                for one in process_settings(topology, wanted, [topic], recorder.epoch)
                if isinstance(one, ProducerSettings)
            ]
            await load.start(senders)
            await waiting.until("sends acknowledged", silent, FLOWS_WITHIN, interval=LOOK)
            say(f"warm-up, {WARM_UP:g} s")
            await _rest(load, WARM_UP)
            begin = recorder.now()
            say(f"{wanted.producers} producers, {wanted.in_flight} sends of each under way, for {seconds:g} s")
            await _rest(load, seconds)
            await load.stop(load.producers, FLOWS_WITHIN)
        except OperationFailed as error:
            raise Inconclusive(error.message, detail=error.detail) from error
        finally:
            await load.close()
            writing.cancel()
            await topics.delete(topology, client, topic)
    with suppress(asyncio.CancelledError):
        await writing  # a history that could not be written counts too little
    return begin


async def _rest(load: Workers, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        load.alive()
        await asyncio.sleep(LOOK)


def measured(topology: Topology, wanted: Wanted, lines: Iterable[str], begin: float, end: float) -> Bench:
    """Count what was acknowledged from ``begin`` to ``end``, seconds since the history's start.

    Raises:
        Inconclusive: nothing was.
    """
    sent: dict[str | None, float] = {}
    took: dict[str, list[float]] = {group.name: [] for group in topology.groups}
    failed = 0
    for event in map(parse_line, lines):
        if event.op != "send":
            continue
        if event.type == "invoke":
            sent[event.key] = event.t
            continue
        since = sent.pop(event.key)
        if begin <= event.t < end:
            if event.type == "ok":
                took[str(event.broker)].append(1000 * (event.t - since))
            else:
                failed += 1
    if not any(took.values()):
        raise Inconclusive("nothing was acknowledged while it counted")
    return Bench(
        cluster=topology.cluster,
        version=topology.version,
        seconds=end - begin,
        size=wanted.size,
        producers=wanted.producers,
        in_flight=wanted.in_flight,
        per_second=sum(map(len, took.values())) / (end - begin),
        failed=failed,
        shares=tuple(
            GroupThroughput(
                group=group.name,
                members=len(group.members),
                acknowledged=len(took[group.name]),
                per_second=len(took[group.name]) / (end - begin),
                p50_ms=_quantile(took[group.name], 50),
                p99_ms=_quantile(took[group.name], 99),
            )
            for group in topology.groups
        ),
    )


def _quantile(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

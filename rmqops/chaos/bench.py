"""How many messages a cluster takes while nothing is wrong: the load of a drill without a fault, at full speed."""

from __future__ import annotations

import asyncio
import secrets
import statistics
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass

from rmqops.chaos.history.lines import parse_line
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.load.clients.settings import ProducerSettings
from rmqops.chaos.load.roster import process_settings
from rmqops.chaos.load.settings import Load
from rmqops.chaos.load.workers import Workers
from rmqops.chaos.run.context import Ready, prepared
from rmqops.chaos.run.environment import REAL, Environment
from rmqops.errors import Inconclusive, OperationFailed
from rmqops.model.topology import Topology
from rmqops.operations.topics import topics
from rmqops.system import scratch, waiting
from rmqops.system.progress import Say

WARM_UP = 5.0
"""Seconds that do not count: connections, and the brokers' compilers."""
FLOWS_WITHIN = 30.0
LOOK = 0.1


@dataclass(frozen=True)
class BenchRequest:
    """A load without a drill; see :class:`rmqops.chaos.run.context.LoadRequest`."""

    topology: Topology
    load: Load
    """Who sends, and what; its rate is 0."""
    seconds: float
    """How long it counts."""
    typed: str | None = None
    """The cluster's name, if it was typed."""
    drill: None = None


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


def run(request: BenchRequest, say: Say, environment: Environment = REAL) -> Bench:
    """Load a healthy cluster for a time; a topic of its own is made before and removed after it.

    Args:
        request: What is wanted.
        say: Told of each step.
        environment: How the cluster is reached.

    Raises:
        Unsafe: the cluster is not marked as drillable, and was not named; no command was sent.
        PreflightFailed: it is not healthy, or a drill is running.
        Inconclusive: the load did not flow, or a process of it died.
    """
    with (
        prepared(request, say, environment) as ready,
        scratch.directory("bench") as directory,
    ):
        with Recorder(directory, environment.clock) as recorder:
            begin = environment.run(_perform(request, ready, recorder, say, environment))
        with recorder.path.open(encoding="utf-8") as lines:
            return measured(request.topology, request.load, lines, begin, begin + request.seconds)


async def _perform(
    request: BenchRequest, ready: Ready, recorder: Recorder, say: Say, environment: Environment
) -> float:
    """Load the cluster, and return when that began to count."""
    topology, load = request.topology, request.load
    topic = topics.of_drill(f"bench-{secrets.token_hex(4)}", 1)[0]
    workers = Workers(recorder, ready.survey.driver, ready.places)

    async def silent() -> str | None:
        workers.alive()
        return None if all(each.count.acknowledged for each in workers.producers) else workers.trouble()

    async with environment.clients() as client:
        writing = asyncio.ensure_future(recorder.keep_flushing())
        try:
            await topics.create(topology, client, topic, load.queues)
            senders = [
                each
                for each in process_settings(topology, load, [topic], recorder.epoch)
                if isinstance(each, ProducerSettings)
            ]
            await workers.start(senders)
            await waiting.until("sends acknowledged", silent, FLOWS_WITHIN, interval=LOOK)
            say(f"warm-up, {WARM_UP:g} s")
            await _rest(workers, WARM_UP)
            begin = recorder.now()
            say(f"{load.producers} producers, {load.in_flight} sends of each under way, for {request.seconds:g} s")
            await _rest(workers, request.seconds)
            await workers.stop(workers.producers, FLOWS_WITHIN)
        except OperationFailed as error:
            raise Inconclusive(error.message, detail=error.detail) from error
        finally:
            await workers.close()
            writing.cancel()
            await topics.delete(topology, client, topic)
    with suppress(asyncio.CancelledError):
        await writing  # a history that could not be written counts too little
    return begin


async def _rest(workers: Workers, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        workers.alive()
        await asyncio.sleep(LOOK)


def measured(topology: Topology, load: Load, lines: Iterable[str], begin: float, end: float) -> Bench:
    """Count what was acknowledged from ``begin`` to ``end``, seconds since the history's start.

    Raises:
        Inconclusive: nothing was.
    """
    sent: dict[str | None, float] = {}
    milliseconds: dict[str, list[float]] = {group.name: [] for group in topology.groups}
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
                milliseconds[str(event.broker)].append(1000 * (event.t - since))
            else:
                failed += 1
    if not any(milliseconds.values()):
        raise Inconclusive("nothing was acknowledged while it counted")
    return Bench(
        cluster=topology.cluster,
        version=topology.version,
        seconds=end - begin,
        size=load.size,
        producers=load.producers,
        in_flight=load.in_flight,
        per_second=sum(map(len, milliseconds.values())) / (end - begin),
        failed=failed,
        shares=tuple(
            GroupThroughput(
                group=group.name,
                members=len(group.members),
                acknowledged=len(milliseconds[group.name]),
                per_second=len(milliseconds[group.name]) / (end - begin),
                p50_ms=_quantile(milliseconds[group.name], 50),
                p99_ms=_quantile(milliseconds[group.name], 99),
            )
            for group in topology.groups
        ),
    )


def _quantile(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

"""Send at a fixed rate, whatever the answers: every message once, each with its outcome."""

from __future__ import annotations

import asyncio
import itertools
from array import array

from rmqops import __version__
from rmqops.chaos.load.clients.outlet import Outlet
from rmqops.chaos.load.clients.settings import ProcessSummary, ProducerSettings, body, key, shared_key
from rmqops.model.history import Event
from rmqops.remoting.client import Client
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Outcome, Refused
from rmqops.remoting.producer import Producer, by_key, round_robin

CONNECT_TIMEOUT = 1.0
REST = 0.1
"""Seconds before the next send after a failed one, at rate 0."""
TICK = 0.001
"""Seconds that are slept at least; what falls due meanwhile leaves together, in one write to the broker."""
AT_ONCE = 32
"""So many messages leave together at most; then the answers are read."""
POLL = 30.0
"""Seconds; the official client's default (``pollNameServerInterval``)."""


async def produce(settings: ProducerSettings, outlet: Outlet, stop: asyncio.Event) -> ProcessSummary:
    """Send until ``stop``, then wait for the answers that are due.

    At rate 0 there is no schedule: ``in_flight`` sends are under way at any time.

    The schedule is made by the clock: message ``n`` is due at ``n / rate``; no slow answer and no failure moves
    the ones after it (no coordinated omission). How late each one leaves is measured. When twice as many sends are
    unanswered as their time-out explains, the next ones are not made but counted as skipped.
    """
    outlet.client(
        driver="native", version=__version__, route=f"polled every {POLL:g} s and after a failure",
        timeout=f"{settings.timeout:g} s", attempts="1",
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    limit = max(64, int(2 * settings.rate * settings.timeout))
    lateness = array("d")
    under_way: set[asyncio.Task[Outcome]] = set()
    skipped = number = 0
    choice = by_key if settings.choice == "by-key" else round_robin()
    async with (
        Client(connect_timeout=CONNECT_TIMEOUT, request_timeout=settings.timeout) as client,
        Producer(
            client, settings.nameservers, group=settings.topic, choice=choice, poll_interval=POLL
        ) as producer,
    ):
        if not settings.rate:
            return await _saturate(settings, producer, outlet, stop)
        start = loop.time() + settings.lead
        while not await _wait(stop, start + number / settings.rate - loop.time()):
            turn = number + AT_ONCE
            while number < turn and (late := loop.time() - start - number / settings.rate) >= 0:
                if len(under_way) < limit:
                    lateness.append(late)
                    task = loop.create_task(_send(settings, producer, number, outlet))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                else:
                    skipped += 1
                number += 1
        if under_way:
            await asyncio.gather(*under_way)
    p50, p99, worst = (1000 * _quantile(lateness, share) for share in (0.5, 0.99, 1.0))
    return ProcessSummary(settings.name, len(lateness), skipped, 0, round(p50, 3), round(p99, 3), round(worst, 3))


async def _saturate(
    settings: ProducerSettings, producer: Producer, outlet: Outlet, stop: asyncio.Event
) -> ProcessSummary:
    """Send the next message as soon as one is answered; after a failure a little later, lest a storm begin."""
    numbers = itertools.count()

    async def send_on() -> None:
        while not stop.is_set():
            outcome = await _send(settings, producer, next(numbers), outlet)
            if not isinstance(outcome, Acknowledged):
                await _wait(stop, REST)

    await asyncio.gather(*(send_on() for _ in range(settings.in_flight)))
    return ProcessSummary(settings.name, next(numbers))


async def _wait(stop: asyncio.Event, seconds: float) -> bool:
    """Wait and tell whether it is time to stop."""
    if seconds <= 0:
        # A late schedule catches up, but the answers must be read in between.
        await asyncio.sleep(0)
        return stop.is_set()
    try:
        async with asyncio.timeout(max(seconds, TICK)):
            return await stop.wait()
    except TimeoutError:
        return False


async def _send(settings: ProducerSettings, producer: Producer, number: int, outlet: Outlet) -> Outcome:
    own = key(settings.prefix, number)
    message = Message(body(own, settings.size), shared_key(number, settings.keys) if settings.keys else own)
    outlet.event(Event(outlet.now(), settings.name, "send", "invoke", topic=settings.topic, key=own))
    if settings.ahead:
        outlet.flush()
    outcome = await producer.send(settings.topic, message)
    outlet.event(_event(outlet.now(), settings, own, outcome))
    return outcome


def _event(t: float, settings: ProducerSettings, key: str, outcome: Outcome) -> Event:
    name, topic = settings.name, settings.topic
    if isinstance(outcome, Acknowledged):
        place = (outcome.broker, outcome.queue, outcome.offset)
        return Event(t, name, "send", "ok", topic, *place, key=key, address=outcome.address)
    code = "" if outcome.code is None else f"code {outcome.code}: "
    offset = None
    if not isinstance(outcome, Refused) and outcome.position is not None:
        offset = outcome.position.offset
    return Event(
        t,
        name,
        "send",
        "fail" if isinstance(outcome, Refused) else "info",
        topic,
        outcome.broker,
        outcome.queue,
        offset,
        key,
        f"{code}{outcome.reason}",
        outcome.address,
    )


def _quantile(values: array[float], share: float) -> float:
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

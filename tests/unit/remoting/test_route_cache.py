"""Routes kept and refreshed, asked of NameServers that are peers of this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine

from rmqops.remoting.client import Client
from rmqops.remoting.codec import Frame
from rmqops.remoting.codes import ResponseCode
from rmqops.remoting.route_cache import RouteCache
from tests.unit.remoting.peer import Peer, peer, reply, until


def route(request: Frame, master: str | None) -> Frame:
    """Answer with one group of two queues; without a master it has a slave alone."""
    addresses = {"0": master} if master else {"1": "127.0.0.1:1"}
    document = {
        "brokerDatas": [{"brokerName": "a", "cluster": "C", "brokerAddrs": addresses}],
        "queueDatas": [{"brokerName": "a", "perm": 6, "readQueueNums": 2, "writeQueueNums": 2}],
    }
    return reply(request, body=json.dumps(document).encode())


class NameServer:
    """Says what it is told to."""

    def __init__(self, master: str | None = "127.0.0.1:10911") -> None:
        self.master = master
        self.knows = True

    def answer(self, request: Frame) -> Frame:
        if not self.knows:
            return reply(request, ResponseCode.TOPIC_NOT_EXIST, remark="No topic route info")
        return route(request, self.master)


Scenario = Callable[[RouteCache, Peer, Peer], Coroutine[object, object, None]]


def run(first: NameServer, second: NameServer, scenario: Scenario, *, poll_interval: float = 30.0) -> None:
    """Run a scenario with a cache that asks two NameServers."""

    async def whole() -> None:
        async with peer(first.answer) as one, peer(second.answer) as two, Client() as client:
            cache = RouteCache(client, (one.address, two.address), poll_interval=poll_interval)
            try:
                await scenario(cache, one, two)
            finally:
                await cache.close()

    asyncio.run(whole())


def test_a_route_is_asked_for_once_for_all_who_wait() -> None:
    async def scenario(cache: RouteCache, one: Peer, two: Peer) -> None:
        assert cache.current("t") == ()
        answers = await asyncio.gather(*(cache.queues("t") for _ in range(5)))
        assert {len(queues) for queues, _ in answers} == {2}
        assert cache.current("t") == answers[0][0]
        assert (len(one.requests), len(two.requests)) == (1, 0)

    run(NameServer(), NameServer(), scenario)


def test_one_that_knows_no_master_is_not_taken_at_its_word() -> None:
    async def scenario(cache: RouteCache, one: Peer, two: Peer) -> None:
        queues, reason = await cache.queues("t")
        assert ({queue.address for queue in queues}, reason) == ({"127.0.0.1:2"}, "")
        assert (len(one.requests), len(two.requests)) == (1, 1)

    run(NameServer(None), NameServer("127.0.0.1:2"), scenario)


def test_why_there_are_no_queues_is_said_of_each() -> None:
    lost, ignorant = NameServer(None), NameServer()
    ignorant.knows = False

    async def scenario(cache: RouteCache, one: Peer, two: Peer) -> None:
        queues, reason = await cache.queues("t")
        assert queues == ()
        assert f"{one.address} has no master for the topic t" in reason
        assert f"{two.address} does not know the topic t" in reason

    run(lost, ignorant, scenario)


def test_one_that_fails_is_asked_last_from_then_on() -> None:
    async def scenario(cache: RouteCache, one: Peer, two: Peer) -> None:
        await one.stop()
        assert (await cache.queues("t"))[0]
        assert (await cache.queues("other"))[0]
        assert len(two.requests) == 2

    run(NameServer(), NameServer(), scenario)


def test_what_was_known_stays_while_nobody_knows_better() -> None:
    first, second = NameServer(), NameServer()

    async def scenario(cache: RouteCache, _one: Peer, _two: Peer) -> None:
        known, _ = await cache.queues("t")
        first.knows = second.knows = False
        queues, reason = await cache.queues("t")
        assert queues == known
        assert reason.startswith("no route: ")
        assert cache.current("t") == (), "it is asked for again before the next send"

    run(first, second, scenario)


def test_a_failed_address_makes_its_routes_stale_and_no_others() -> None:
    first = NameServer()

    async def scenario(cache: RouteCache, _one: Peer, _two: Peer) -> None:
        await cache.queues("t")
        cache.failed("127.0.0.1:1")
        assert cache.current("t")
        cache.failed("127.0.0.1:10911")
        assert cache.current("t") == ()
        first.master = "127.0.0.1:2"
        queues, _ = await cache.queues("t")
        assert {queue.address for queue in queues} == {"127.0.0.1:2"}

    run(first, NameServer(), scenario)


def test_an_old_route_is_used_and_refreshed_meanwhile() -> None:
    first = NameServer()

    async def scenario(cache: RouteCache, one: Peer, _two: Peer) -> None:
        await cache.queues("t")
        first.master = "127.0.0.1:2"
        assert {queue.address for queue in cache.current("t")} == {"127.0.0.1:10911"}
        await until(lambda: {queue.address for queue in cache.current("t")} == {"127.0.0.1:2"}, "the new master")
        assert len(one.requests) >= 2

    run(first, NameServer(), scenario, poll_interval=0.0)


def test_closed_while_it_asks_it_says_so() -> None:
    async def whole() -> None:
        async def never(_request: Frame) -> None:
            await asyncio.Event().wait()

        async with peer(never) as silent, Client() as client:
            cache = RouteCache(client, (silent.address,), timeout=60)
            waiting = asyncio.create_task(cache.queues("t"))
            await until(lambda: len(silent.requests) == 1, "the question")
            await cache.close()
            assert await waiting == ((), "the producer was closed")

    asyncio.run(whole())

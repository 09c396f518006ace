from __future__ import annotations

import asyncio

import pytest

from rmqops.errors import BrokerError, ConnectFailed, ConnectionLost, RequestTimeout
from rmqops.remoting import client as pool
from rmqops.remoting.client import Client
from tests.unit.remoting.peer import Peer, peer, reply


async def test_all_requests_to_an_address_share_one_connection() -> None:
    async with peer(reply) as running, Client() as client:
        answers = await asyncio.gather(*(client.request(running.address, 28) for _ in range(20)))
        assert {answer.code for answer in answers} == {0}
        assert running.connections == 1


async def test_a_lost_connection_is_opened_again_by_the_next_request() -> None:
    running = Peer(reply)
    await running.start()
    port = int(running.address.partition(":")[2])
    async with Client() as client:
        await client.request(running.address, 28)
        await running.stop()
        with pytest.raises((ConnectFailed, ConnectionLost)):
            await client.request(running.address, 28)
        with pytest.raises(ConnectFailed, match="did not take a connection"):
            await client.request(running.address, 28)
        await running.start(port)
        assert (await client.request(running.address, 28)).code == 0
    await running.stop()


async def test_all_who_wait_for_a_connection_fail_together(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    async def never(*_: object) -> None:
        nonlocal tries
        tries += 1
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    async with Client(connect_timeout=0.05) as client:
        failures = await asyncio.gather(
            *(client.request("192.0.2.1:1", 28) for _ in range(64)), return_exceptions=True
        )
    assert {type(failure) for failure in failures} == {ConnectFailed}
    assert tries == 1


async def test_an_idle_connection_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer(reply) as running, Client() as client:
        await client.request(running.address, 28)
        monkeypatch.setattr(pool, "MAX_IDLE", -1.0)
        await client.request(running.address, 28)
        assert running.connections == 2


async def test_a_busy_connection_is_never_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_IDLE", -1.0)
    async with peer(lambda _: None) as running, Client() as client:
        failures = await asyncio.gather(
            *(client.request(running.address, 28, timeout=0.05) for _ in range(2)), return_exceptions=True
        )
        assert {type(failure) for failure in failures} == {RequestTimeout}
        assert running.connections == 1


async def test_a_code_that_is_no_success_carries_the_peers_words() -> None:
    async with peer(lambda request: reply(request, 17, remark="no such topic")) as running, Client() as client:
        with pytest.raises(BrokerError, match="GET_ROUTE_BY_TOPIC with code 17: no such topic") as caught:
            await client.call(running.address, 105)
        assert (caught.value.code, caught.value.remark, caught.value.address) == (
            17,
            "no such topic",
            running.address,
        )


async def test_closing_ends_what_waits_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    client = Client()
    waiting = asyncio.create_task(client.request("192.0.2.1:1", 28))
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(ConnectFailed, match="client was closed"):
        await waiting
    with pytest.raises(ConnectFailed, match="client is closed"):
        await client.request("192.0.2.1:1", 28)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_caller_who_gives_up_does_not_take_the_others_connection() -> None:
    async with peer(reply) as running, Client() as client:
        quitter = asyncio.create_task(client.request(running.address, 28))
        other = asyncio.create_task(client.request(running.address, 28))
        await asyncio.sleep(0)
        quitter.cancel()
        assert (await other).code == 0
        with pytest.raises(asyncio.CancelledError):
            await quitter

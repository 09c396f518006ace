from __future__ import annotations

import asyncio
import resource
import struct
from collections.abc import AsyncIterator

import pytest

from rmqops.errors import ConnectFailed, ConnectionLost, ProtocolError, RequestTimeout, UsageError
from rmqops.remoting import codec
from rmqops.remoting.codec import Frame
from rmqops.remoting.connection import Connection
from tests.unit.remoting.peer import Peer, peer, reply, until


@pytest.fixture
async def silent() -> AsyncIterator[Peer]:
    """A peer that takes everything and never answers."""
    async with peer(lambda _: None) as running:
        yield running


async def asked(running: Peer, count: int) -> None:
    await until(lambda: len(running.requests) >= count, f"{count} requests")


async def test_answers_find_their_requests_in_any_order() -> None:
    held: list[Frame] = []

    def last_first(request: Frame) -> bytes | None:
        held.append(request)
        if len(held) < 50:
            return None
        return b"".join(codec.encode(reply(each, body=each.body)) for each in reversed(held))

    async with peer(last_first) as running:
        connection = await Connection.open(running.address)
        bodies = [str(number).encode() for number in range(50)]
        answers = await asyncio.gather(*(connection.request(28, body=body, timeout=5) for body in bodies))
        assert [answer.body for answer in answers] == bodies
        assert not connection.is_busy
        await connection.close()


async def test_requests_of_one_turn_leave_in_one_write(monkeypatch: pytest.MonkeyPatch, silent: Peer) -> None:
    connection = await Connection.open(silent.address)
    writes: list[bytes] = []
    assert connection._transport is not None
    monkeypatch.setattr(connection._transport, "write", writes.append)
    requests = [asyncio.create_task(connection.request(28, timeout=0.05)) for _ in range(10)]
    await asyncio.gather(*requests, return_exceptions=True)
    assert len(writes) == 1
    await connection.close()


async def test_a_peer_that_never_answers_is_a_time_out_that_names_the_request(silent: Peer) -> None:
    connection = await Connection.open(silent.address)
    with pytest.raises(
        RequestTimeout, match=f"{silent.address} did not answer GET_BROKER_RUNTIME_INFO within 0.05 s"
    ):
        await connection.request(28, timeout=0.05)
    assert connection.is_open
    assert not connection.is_busy
    await connection.close()


async def test_an_answer_that_comes_too_late_is_dropped() -> None:
    late: list[Frame] = []

    def second_answers_both(request: Frame) -> bytes | None:
        late.append(request)
        return b"".join(codec.encode(reply(each, body=each.body)) for each in late) if len(late) == 2 else None

    async with peer(second_answers_both) as running:
        connection = await Connection.open(running.address)
        with pytest.raises(RequestTimeout):
            await connection.request(28, body=b"first", timeout=0.05)
        assert (await connection.request(28, body=b"second", timeout=5)).body == b"second"
        await connection.close()


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "frame length of 1213486160 bytes"),
        (struct.pack(">i", 2**31 - 1) + b"x" * 1000, "frame length of 2147483647 bytes"),
        (struct.pack(">i", -1), "frame length of -1 bytes"),
        (struct.pack(">iI", 6, 2) + b"{]", "not JSON"),
    ],
)
async def test_garbage_ends_every_request_with_a_protocol_error(sent: bytes, says: str) -> None:
    async with peer(lambda _: sent) as running:
        connection = await Connection.open(running.address)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        failures = await asyncio.gather(
            *(connection.request(28, timeout=5) for _ in range(3)), return_exceptions=True
        )
        for failure in failures:
            assert isinstance(failure, ProtocolError)
            assert str(failure).startswith(f"{running.address} sent a ")
            assert says in str(failure)
        assert not connection.is_open
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
        await connection.close()


async def test_a_peer_that_dies_loses_every_request(silent: Peer) -> None:
    connection = await Connection.open(silent.address)
    requests = [asyncio.create_task(connection.request(28, timeout=5)) for _ in range(3)]
    await asked(silent, 3)
    await silent.stop()
    for failure in await asyncio.gather(*requests, return_exceptions=True):
        assert isinstance(failure, ConnectionLost)
        assert silent.address in str(failure)
    with pytest.raises(ConnectFailed, match="nothing was sent"):
        await connection.request(28, timeout=5)
    await connection.close()


async def test_a_closed_port_and_a_bad_address() -> None:
    async with peer(lambda _: None) as running:
        address = running.address
    with pytest.raises(ConnectFailed, match=f"{address} did not take a connection: "):
        await Connection.open(address)
    for bad in ("nowhere", "h:0", "h:99999", ":1", "h:port", "h:²"):
        with pytest.raises(UsageError, match="is not an address"):
            await Connection.open(bad)


async def test_an_address_that_never_takes_a_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    with pytest.raises(ConnectFailed, match=r"192\.0\.2\.1:9876 did not take a connection within 0.05 s"):
        await Connection.open("192.0.2.1:9876", timeout=0.05)


async def test_a_brokers_own_requests_are_answered_or_passed_over(silent: Peer) -> None:
    connection = await Connection.open(silent.address)
    request = asyncio.create_task(connection.request(28, timeout=5))
    await asked(silent, 1)
    one_way, asks = Frame(40, 900, 2), Frame(307, 901)
    silent.writers[0].write(codec.encode(one_way) + codec.encode(asks) + codec.encode(reply(silent.requests[0])))
    assert (await request).code == 0
    await asked(silent, 2)
    answer = silent.requests[1]
    assert (answer.opaque, answer.code, answer.is_response) == (901, 3, True)
    assert answer.remark == "request type 307 not supported"
    await connection.close()


async def test_closing_ends_requests_under_way_and_leaves_nothing(silent: Peer) -> None:
    connection = await Connection.open(silent.address)
    request = asyncio.create_task(connection.request(28, timeout=5))
    await asked(silent, 1)
    await connection.close()
    with pytest.raises(ConnectionLost, match="closed by this side"):
        await request
    await silent.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cancelled_request_leaves_nothing_behind(silent: Peer) -> None:
    connection = await Connection.open(silent.address)
    request = asyncio.create_task(connection.request(28, timeout=5))
    await asked(silent, 1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert not connection.is_busy
    await connection.close()


@pytest.fixture
async def stuck() -> AsyncIterator[Peer]:
    """A peer that takes connections and reads nothing."""
    async with peer(lambda _: None) as running:
        running.reads.clear()
        yield running


async def test_a_peer_that_does_not_read_holds_back_later_requests(stuck: Peer) -> None:
    connection = await Connection.open(stuck.address)
    big = [asyncio.create_task(connection.request(310, body=b"x" * 8_000_000, timeout=1.0)) for _ in range(3)]
    await until(lambda: connection._writable is not None, "a full buffer")
    assert connection._transport is not None
    held = connection._transport.get_write_buffer_size()
    with pytest.raises(RequestTimeout):
        await connection.request(310, body=b"y" * 8_000_000, timeout=0.05)
    assert connection._transport.get_write_buffer_size() <= held
    waiting = asyncio.create_task(connection.request(28, timeout=5))
    await asyncio.sleep(0)
    stuck.reads.set()
    await asked(stuck, 4)
    assert stuck.codes() == [310, 310, 310, 28]
    waiting.cancel()
    await asyncio.gather(waiting, *big, return_exceptions=True)
    await connection.close()


async def test_closing_does_not_wait_for_a_peer_that_does_not_read(stuck: Peer) -> None:
    connection = await Connection.open(stuck.address)
    request = asyncio.create_task(connection.request(310, body=b"x" * 16_000_000, timeout=5))
    await until(lambda: connection._writable is not None, "a full buffer")
    async with asyncio.timeout(5):
        await connection.close(timeout=0.05)
    with pytest.raises(ConnectionLost):
        await request

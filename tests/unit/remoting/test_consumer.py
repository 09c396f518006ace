from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest

from rmqops.errors import BrokerError, OperationFailed, ProtocolError, RequestTimeout
from rmqops.remoting import consumer as module
from rmqops.remoting.client import Client
from rmqops.remoting.codec import Frame
from rmqops.remoting.consumer import Consumer, PullStatus
from tests.unit.remoting.peer import Answer, Peer, peer, reply
from tests.unit.remoting.stored import stored


class Queue:
    """One queue of a broker, which a test can lengthen, cut and forget."""

    def __init__(self, length: int, *, low: int = 0, batch: int = 4) -> None:
        self.low, self.high, self.batch = low, length, batch
        self.pulls = 0
        self.unknown = 0
        self.on_pull: Callable[[], object] = lambda: None

    def answer(self, request: Frame) -> Answer:
        if request.code == 31:
            return reply(request, offset=self.low)
        self.pulls += 1
        self.on_pull()
        if self.unknown:
            self.unknown -= 1
            return reply(request, 17, remark="topic[t] not exist")
        offset = int(request.fields["queueOffset"])

        def pulled(code: int, following: int, body: bytes = b"") -> Frame:
            return reply(
                request, code, body, nextBeginOffset=following,
                minOffset=self.low, maxOffset=self.high, suggestWhichBrokerId=1,
            )  # fmt: skip

        if offset < self.low:
            return pulled(21, self.low)
        end = min(self.high, offset + self.batch, offset + int(request.fields["maxMsgNums"]))
        if offset >= end:
            return pulled(19, offset)
        body = b"".join(stored(str(each).encode(), offset=each) for each in range(offset, end))
        return pulled(0, end, body)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(request_timeout=2) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.001)


async def drained(
    client: Client, running: Peer, end: int, *, begin: int | None = None, stall: float = 10
) -> list[int]:
    consumer = Consumer(client)
    return [
        message.offset async for message in consumer.drain(running.address, "t", 0, end, begin=begin, stall=stall)
    ]


async def test_a_pull_asks_for_every_tag_without_waiting(client: Client) -> None:
    async with peer(Queue(9).answer) as running:
        pulled = await Consumer(client).pull(running.address, "t", 3, 5, limit=2)
        assert running.requests[0].fields == {
            "consumerGroup": "TOOLS_CONSUMER", "topic": "t", "queueId": "3", "queueOffset": "5", "maxMsgNums": "2",
            "sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0", "subscription": "*",
            "subVersion": "0", "expressionType": "TAG",
        }  # fmt: skip
    assert pulled.status is PullStatus.FOUND
    assert [message.body for message in pulled.messages] == [b"5", b"6"]
    assert (pulled.next_offset, pulled.min_offset, pulled.max_offset) == (7, 0, 9)
    assert (pulled.suggested_broker_id, pulled.address) == (1, running.address)


async def test_a_long_poll_waits_longer_than_the_broker(client: Client) -> None:
    client.request_timeout = 0.05

    async def slow(request: Frame) -> Answer:
        await asyncio.sleep(0.2)
        return Queue(0).answer(request)

    async with peer(slow) as running:
        pulled = await Consumer(client, group="g").pull(running.address, "t", 0, 0, suspend=0.08)
        assert pulled.status is PullStatus.NOT_FOUND
        asked = running.requests[0].fields
        assert (asked["sysFlag"], asked["suspendTimeoutMillis"], asked["consumerGroup"]) == ("6", "80", "g")
        with pytest.raises(RequestTimeout):
            await Consumer(client).pull(running.address, "t", 0, 0)


@pytest.mark.parametrize(
    ("code", "status"), [(19, PullStatus.NOT_FOUND), (20, PullStatus.RETRY), (21, PullStatus.OFFSET_MOVED)]
)
async def test_the_codes_of_a_pull_are_values(client: Client, code: int, status: PullStatus) -> None:
    def answer(request: Frame) -> Answer:
        return reply(request, code, nextBeginOffset=3, minOffset=1, maxOffset=3, suggestWhichBrokerId=0)

    async with peer(answer) as running:
        pulled = await Consumer(client).pull(running.address, "t", 0, 7)
    assert (pulled.status, pulled.messages, pulled.next_offset) == (status, (), 3)


async def test_other_codes_are_the_brokers_error(client: Client) -> None:
    async with peer(lambda request: reply(request, 26, remark="group")) as running:
        with pytest.raises(BrokerError, match="PULL_MESSAGE with code 26: group"):
            await Consumer(client).pull(running.address, "t", 0, 0)


async def test_an_answer_without_offsets_is_a_protocol_error(client: Client) -> None:
    async with peer(reply) as running:
        with pytest.raises(ProtocolError, match="without its offsets"):
            await Consumer(client).pull(running.address, "t", 0, 0)


async def test_a_drain_ends_at_the_end_and_not_behind_it(client: Client) -> None:
    async with peer(Queue(30).answer) as running:
        assert await drained(client, running, 21) == list(range(21))
        assert await drained(client, running, 6, begin=3) == [3, 4, 5]
        assert await drained(client, running, 0) == []


async def test_a_drain_begins_at_the_first_message_left(client: Client) -> None:
    async with peer(Queue(10, low=7).answer) as running:
        assert await drained(client, running, 10) == [7, 8, 9]


async def test_a_drain_waits_for_a_queue_that_grows(client: Client) -> None:
    queue = Queue(2)

    def grow() -> None:
        queue.high = min(8, queue.high + (queue.pulls % 5 == 0))

    queue.on_pull = grow
    async with peer(queue.answer) as running:
        assert await drained(client, running, 8) == list(range(8))


async def test_a_drain_waits_for_a_slave_to_learn_of_the_topic(client: Client) -> None:
    queue = Queue(2)
    queue.unknown = 3
    async with peer(queue.answer) as running:
        assert await drained(client, running, 2) == [0, 1]


async def test_a_drain_without_progress_names_queue_offset_and_last_answer(client: Client) -> None:
    async with peer(Queue(5).answer) as running:
        expected = f"t queue 0 of {running.address} stands at offset 5 of 9 and did not move for 0.05 s"
        with pytest.raises(OperationFailed, match=re.escape(expected)) as caught:
            await drained(client, running, 9, stall=0.05)
        assert "NOT_FOUND" in str(caught.value.detail)
        assert "max_offset=5" in str(caught.value.detail)


async def test_a_drain_says_when_messages_are_gone(client: Client) -> None:
    queue = Queue(20)

    def cut() -> None:
        queue.low = 9 if queue.pulls > 1 else 0

    queue.on_pull = cut
    async with peer(queue.answer) as running:
        with pytest.raises(OperationFailed, match="from offset 4 on are gone; the first one left is 9"):
            await drained(client, running, 20)


async def test_a_drain_goes_on_where_the_broker_says(client: Client) -> None:
    """A queue's file can end before its last entry; the broker then names the next file's first offset."""

    def gap(request: Frame) -> Answer:
        if request.code == 11 and request.fields["queueOffset"] == "2":
            return reply(request, 19, nextBeginOffset=5, minOffset=0, maxOffset=7, suggestWhichBrokerId=0)
        return Queue(7, batch=2).answer(request)

    async with peer(gap) as running:
        assert await drained(client, running, 7) == [0, 1, 5, 6]

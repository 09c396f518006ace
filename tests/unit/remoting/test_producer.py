from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from rmqops.errors import UsageError
from rmqops.remoting.client import Client
from rmqops.remoting.codec import Frame
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Indeterminate, Refused
from rmqops.remoting.producer import Producer, RetryPolicy, by_key
from tests.unit.remoting.peer import Answer, Peer, reply, until


class World:
    """Two NameServers and two brokers of one group, as many answers as a test wants."""

    def __init__(self) -> None:
        self.masters: dict[str, str | None] = {}
        self.send_answers: list[Answer | type[ConnectionAbortedError]] = []
        self.queues = 3
        self.knows = True
        self.stored: Counter[tuple[str, str]] = Counter()
        self.nameservers = [Peer(self.route), Peer(self.route)]
        self.brokers = [
            Peer(lambda request: self.send("a", request)),
            Peer(lambda request: self.send("b", request)),
        ]

    @property
    def namesrv(self) -> str:
        return ";".join(each.address for each in self.nameservers)

    def routes_asked(self) -> int:
        return sum(len(each.requests) for each in self.nameservers)

    def route(self, request: Frame) -> Frame:
        if not self.knows:
            return reply(request, 17, remark="No topic route info")
        groups = [
            {"brokerName": name, "cluster": "C", "brokerAddrs": {"0": master} if master else {"1": "127.0.0.1:1"}}
            for name, master in self.masters.items()
        ]
        queues = [
            {"brokerName": name, "perm": 6, "readQueueNums": self.queues, "writeQueueNums": self.queues}
            for name in self.masters
        ]
        return reply(request, body=json.dumps({"brokerDatas": groups, "queueDatas": queues}).encode())

    def send(self, broker: str, request: Frame) -> Answer:
        if self.send_answers:
            answer = self.send_answers.pop(0)
            if answer is ConnectionAbortedError:
                raise ConnectionAbortedError
            assert not isinstance(answer, type)
            return (
                Frame(answer.code, request.opaque, 1, remark=answer.remark)
                if isinstance(answer, Frame)
                else answer
            )
        queue = request.fields["e"]
        self.stored[broker, queue] += 1
        return reply(request, queueId=queue, queueOffset=self.stored[broker, queue] - 1, msgId="ID")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    async with AsyncExitStack() as stack:
        for running in (*made.nameservers, *made.brokers):
            await running.start()
            stack.push_async_callback(running.stop)
        made.masters = {"g": made.brokers[0].address}
        yield made


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(request_timeout=5.0) as opened:
        yield opened


def no(code: int, remark: str = "no") -> Frame:
    return Frame(code, 0, remark=remark)


async def test_queues_are_taken_in_turn_over_every_group(world: World, client: Client) -> None:
    world.masters["h"] = world.brokers[1].address
    async with Producer(client, world.namesrv) as producer:
        outcomes = [await producer.send("t", Message(b"x")) for _ in range(12)]
    assert all(isinstance(outcome, Acknowledged) for outcome in outcomes)
    assert world.stored == {(broker, str(queue)): 2 for broker in "ab" for queue in range(3)}
    first = outcomes[0]
    assert first == Acknowledged("g", 0, 0, "ID", world.brokers[0].address)
    assert world.routes_asked() == 1


async def test_a_key_always_goes_to_the_same_queue(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv, choice=by_key) as producer:
        sends = [await producer.send("t", Message(b"x", key=f"k{number % 5}")) for number in range(20)]
    queues = {
        (number % 5): {sent.queue for sent in sends[number % 5 :: 5] if isinstance(sent, Acknowledged)}
        for number in range(5)
    }
    assert all(len(found) == 1 for found in queues.values())
    assert len(set.union(*queues.values())) > 1


async def test_writes_go_to_masters_only(world: World, client: Client) -> None:
    world.masters["h"] = None
    async with Producer(client, world.namesrv) as producer:
        for _ in range(6):
            await producer.send("t", Message(b"x"))
    assert world.brokers[1].requests == []
    assert sum(world.stored.values()) == 6


async def test_no_master_anywhere_is_refused_and_says_who_was_asked(world: World, client: Client) -> None:
    world.masters = {"g": None}
    async with Producer(client, world.namesrv) as producer:
        outcome = await producer.send("t", Message(b"x"))
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.address) == (None, None)
        for nameserver in world.nameservers:
            assert f"{nameserver.address} has no master for the topic t" in outcome.reason
        world.masters = {"g": world.brokers[0].address}
        assert isinstance(await producer.send("t", Message(b"x")), Acknowledged)


async def test_an_unknown_topic_is_refused(world: World, client: Client) -> None:
    world.knows = False
    async with Producer(client, world.namesrv) as producer:
        outcome = await producer.send("t", Message(b"x"))
    assert isinstance(outcome, Refused)
    assert "does not know the topic t" in outcome.reason


async def test_a_nameserver_that_knows_less_is_not_taken_at_its_word(world: World, client: Client) -> None:
    world.nameservers[0].answer = lambda request: reply(request, 17, remark="just started")
    async with Producer(client, world.namesrv) as producer:
        assert isinstance(await producer.send("t", Message(b"x")), Acknowledged)


async def test_with_every_nameserver_dead_the_known_master_is_used(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv, poll_interval=0.0) as producer:
        await producer.send("t", Message(b"x"))
        for nameserver in world.nameservers:
            await nameserver.stop()
        world.send_answers = [no(14)]
        assert isinstance(await producer.send("t", Message(b"x")), Refused)
        for _ in range(3):
            assert isinstance(await producer.send("t", Message(b"x")), Acknowledged)


async def test_with_every_nameserver_just_started_the_known_master_is_used(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv, poll_interval=0.0) as producer:
        await producer.send("t", Message(b"x"))
        world.knows = False
        world.send_answers = [no(14)]
        assert isinstance(await producer.send("t", Message(b"x")), Refused)
        for _ in range(3):
            assert isinstance(await producer.send("t", Message(b"x")), Acknowledged)
        world.knows, world.masters = True, {"g": None}
        assert isinstance(await producer.send("t", Message(b"x")), Refused), "they know that there is none"


async def test_with_no_nameserver_from_the_start_it_is_refused(client: Client) -> None:
    async with Producer(client, "127.0.0.1:1;127.0.0.1:2") as producer:
        outcome = await producer.send("t", Message(b"x"))
    assert isinstance(outcome, Refused)
    assert "127.0.0.1:1 did not take a connection" in outcome.reason
    assert "127.0.0.1:2 did not take a connection" in outcome.reason


async def test_after_a_dead_master_the_next_send_finds_the_new_one(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv) as producer:
        await producer.send("t", Message(b"x"))
        await world.brokers[0].stop()
        world.masters = {"g": world.brokers[1].address}
        lost = await producer.send("t", Message(b"x"))
        assert isinstance(lost, Refused | Indeterminate)
        assert lost.address == world.brokers[0].address
        found = await producer.send("t", Message(b"x"))
    assert isinstance(found, Acknowledged)
    assert found.address == world.brokers[1].address


async def test_a_broker_that_is_no_master_any_more_makes_the_route_stale(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv) as producer:
        await producer.send("t", Message(b"x"))
        world.send_answers = [no(14, "service not available now")]
        world.masters = {"g": world.brokers[1].address}
        assert isinstance(await producer.send("t", Message(b"x")), Refused)
        found = await producer.send("t", Message(b"x"))
    assert isinstance(found, Acknowledged)
    assert found.address == world.brokers[1].address


async def test_many_senders_refresh_a_route_once(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv) as producer:
        await producer.send("t", Message(b"x"))
        world.send_answers = [no(14)] * 50
        outcomes = await asyncio.gather(*(producer.send("t", Message(b"x")) for _ in range(50)))
        assert {type(outcome) for outcome in outcomes} == {Refused}
        before = world.routes_asked()
        await asyncio.gather(*(producer.send("t", Message(b"x")) for _ in range(50)))
        assert world.routes_asked() == before + 1


async def test_a_busy_broker_is_still_the_master(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv) as producer:
        await producer.send("t", Message(b"x"))
        world.send_answers = [no(2, "[TIMEOUT_CLEAN_QUEUE]")]
        assert await producer.send("t", Message(b"x")) == Refused(
            2, "[TIMEOUT_CLEAN_QUEUE]", world.brokers[0].address, "g", 1
        )
        await producer.send("t", Message(b"x"))
        assert world.routes_asked() == 1


async def test_an_old_route_is_refreshed_without_holding_up_a_send(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv, poll_interval=0.0) as producer:
        await producer.send("t", Message(b"x"))
        released = asyncio.Event()

        async def slow(request: Frame) -> Frame:
            await released.wait()
            return world.route(request)

        world.nameservers[0].answer = slow
        assert isinstance(await producer.send("t", Message(b"x")), Acknowledged)
        released.set()
        await until(lambda: world.routes_asked() == 2, "the refresh")


async def test_no_answer_and_a_lost_connection_are_indeterminate(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv, timeout=0.2) as producer:
        world.send_answers = [None, ConnectionAbortedError, b"\xff\xff\xff\xff"]
        silent, lost, garbage = [await producer.send("t", Message(b"x")) for _ in range(3)]
    for outcome, says in (
        (silent, "did not answer SEND_MESSAGE_V2"),
        (lost, "was closed"),
        (garbage, "frame length"),
    ):
        assert isinstance(outcome, Indeterminate)
        assert says in outcome.reason
        assert (outcome.code, outcome.address, outcome.broker) == (None, world.brokers[0].address, "g")


async def test_a_success_without_a_position_is_indeterminate(world: World, client: Client) -> None:
    world.send_answers = [no(0)]
    async with Producer(client, world.namesrv) as producer:
        assert isinstance(await producer.send("t", Message(b"x")), Indeterminate)


async def test_what_never_left_is_refused(world: World, client: Client) -> None:
    async with Producer(client, world.namesrv) as producer:
        outcome = await producer.send("t", Message(b"x" * (17 << 20)))
        assert isinstance(outcome, Refused)
        assert "too long to send" in outcome.reason
        with pytest.raises(UsageError):
            await producer.send("t", Message(b"x", properties={"a": ""}))
        with pytest.raises(UsageError):
            await producer.send("ü" * 64, Message(b"x"))
    assert world.brokers[0].requests == []


class TestRetry:
    async def test_off_by_default(self, world: World, client: Client) -> None:
        world.send_answers = [no(2)]
        async with Producer(client, world.namesrv) as producer:
            assert isinstance(await producer.send("t", Message(b"x")), Refused)
        assert len(world.brokers[0].requests) == 1

    async def test_a_refusal_is_tried_again(self, world: World, client: Client) -> None:
        world.send_answers = [no(2), no(14)]
        async with Producer(client, world.namesrv, retry=RetryPolicy(3)) as producer:
            outcome = await producer.send("t", Message(b"x"))
        assert isinstance(outcome, Acknowledged)
        assert outcome.attempts == 3

    async def test_no_more_often_than_allowed(self, world: World, client: Client) -> None:
        world.send_answers = [no(2, str(number)) for number in range(9)]
        async with Producer(client, world.namesrv, retry=RetryPolicy(3)) as producer:
            outcome = await producer.send("t", Message(b"x"))
        assert isinstance(outcome, Refused)
        assert (outcome.attempts, outcome.reason) == (3, "2")

    async def test_what_may_be_stored_is_not_sent_twice(self, world: World, client: Client) -> None:
        world.send_answers = [no(2), no(1, "UNKNOWN_ERROR")]
        async with Producer(client, world.namesrv, retry=RetryPolicy(5)) as producer:
            outcome = await producer.send("t", Message(b"x"))
        assert isinstance(outcome, Indeterminate)
        assert outcome.attempts == 2

    async def test_a_refusal_does_not_undo_an_indeterminate_attempt(self, world: World, client: Client) -> None:
        world.send_answers = [no(1, "UNKNOWN_ERROR"), no(2), no(2)]
        retry = RetryPolicy(3, after_indeterminate=True)
        async with Producer(client, world.namesrv, retry=retry) as producer:
            outcome = await producer.send("t", Message(b"x"))
        assert isinstance(outcome, Indeterminate)
        assert (outcome.attempts, outcome.reason) == (3, "UNKNOWN_ERROR")


def test_nameservers_are_checked_at_once() -> None:
    for bad in ("", "h", "127.0.0.1:9876;h"):
        with pytest.raises(UsageError):
            Producer(Client(), bad)


async def test_closing_ends_a_refresh_under_way(world: World, client: Client) -> None:
    for nameserver in world.nameservers:
        nameserver.answer = lambda _: None
    producer = Producer(client, world.namesrv)
    sending = asyncio.create_task(producer.send("t", Message(b"x")))
    await until(lambda: world.routes_asked() == 1, "the question for the route")
    await producer.close()
    assert await sending == Refused(None, "the producer was closed", None)

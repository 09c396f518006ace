"""The load: what its processes are told and say, and that they end with the run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rmqops.chaos.history.format import FILE
from rmqops.chaos.history.lines import parse_line
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.history.run_record import Subscription
from rmqops.chaos.load import roster
from rmqops.chaos.load.clients import settings
from rmqops.chaos.load.clients.consumer import _Reader
from rmqops.chaos.load.clients.drivers import Native
from rmqops.chaos.load.clients.outlet import Outlet
from rmqops.chaos.load.clients.producer import _event, _quantile
from rmqops.chaos.load.clients.settings import ConsumerSettings, ProcessSummary, ProducerSettings
from rmqops.chaos.load.hosts.place import ThisMachine
from rmqops.chaos.load.settings import Load as LoadSettings
from rmqops.chaos.load.worker import Count, Worker
from rmqops.chaos.load.workers import Workers
from rmqops.errors import Inconclusive
from rmqops.model.history import Event
from rmqops.operations.topics import topics
from rmqops.remoting.client import Client
from rmqops.remoting.codec import Frame
from rmqops.remoting.codes import RequestCode, ResponseCode
from rmqops.remoting.outcomes import Acknowledged, Indeterminate, Outcome, Position, Refused
from tests.support.instances import topology
from tests.unit.remoting.peer import Answer, peer, reply

NOBODY = ("127.0.0.1:1",)
PRODUCER = ProducerSettings("producer-1", "p1", 0.0, "drill", NOBODY, rate=200, size=64)
CONSUMER = ConsumerSettings("consumer-1", 0.0, "drill", "drill", NOBODY, ("broker-a",), 4)


@pytest.mark.parametrize("told", [PRODUCER, CONSUMER])
def test_settings_travel_whole(told: ProducerSettings | ConsumerSettings) -> None:
    assert settings.read(settings.write(told)) == told


def test_a_summary_travels_whole() -> None:
    summary = ProcessSummary("producer-1", 5, 1, 0, 0.1, 0.2, 0.3)
    assert settings.read_summary(summary.line()) == summary


@pytest.mark.parametrize("size", [32, 33, 4096])
def test_a_body_has_its_size_and_begins_with_its_key(size: int) -> None:
    key = settings.key("p12", 42)
    body = settings.body(key, size)
    assert key == "p12-00000042"
    assert len(body) == size
    assert body.startswith(key.encode())
    assert settings.key_of(body) == key


def test_a_body_of_somebody_else_has_a_key_too() -> None:
    assert settings.key_of(b"") == ""
    assert settings.key_of(b"\xff") == "�"


def test_the_producers_of_a_roster_send_different_keys_at_different_moments() -> None:
    made = roster.process_settings(
        topology(groups=2), LoadSettings(producers=3, consumers=2, rate=10), ["drill"], 1.0
    )
    producers = [one for one in made if isinstance(one, ProducerSettings)]
    consumers = [one for one in made if isinstance(one, ConsumerSettings)]
    assert len({one.prefix for one in producers}) == 3
    assert len({round(one.lead % 0.1, 6) for one in producers}) == 3
    assert {one.groups for one in consumers} == {("broker-a", "broker-b")}
    assert all(one.name.startswith("consumer-") for one in consumers), "the checks know them by that"


def test_every_topic_and_every_consumer_group_of_it_has_somebody() -> None:
    load = LoadSettings(driver="java", producers=3, consumers=5, topics=2, groups=2)
    made = roster.process_settings(topology(), load, topics.of_drill("run", 2), 1.0)
    first, second = "rmqops-drill-run", "rmqops-drill-run-2"
    assert [one.topic for one in made if isinstance(one, ProducerSettings)] == [first, second, first]
    assert [(one.topic, one.group) for one in made if isinstance(one, ConsumerSettings)] == [
        (first, first), (second, second), (first, f"{first}_g2"), (second, f"{second}_g2"), (first, first)
    ]  # fmt: skip


def test_who_reads_what_is_what_the_processes_are_told() -> None:
    load = LoadSettings(driver="java", producers=2, consumers=5, topics=2, groups=2)
    drilled = topics.of_drill("run", 2)
    made = roster.process_settings(topology(), load, drilled, 1.0)
    told = {one.name: Subscription(one.topic, one.group) for one in made if isinstance(one, ConsumerSettings)}

    assert roster.subscriptions(load, drilled, shares=True) == told
    alone = roster.subscriptions(LoadSettings(consumers=2), ["drill"], shares=False)
    assert alone == dict.fromkeys(("consumer-1", "consumer-2"), Subscription("drill", None))


@pytest.mark.parametrize(
    ("load", "told"),
    [
        ({"topics": 3, "consumers": 3}, "producers: 2 are too few for topics: 3"),
        ({"topics": 2}, "consumers: 1 are too few for topics: 2 with groups: 1 each"),
        ({"groups": 2, "consumers": 2}, "groups are of the driver java"),
        ({"groups": 3, "consumers": 2, "driver": "java"}, "are too few for topics: 1 with groups: 3 each"),
    ],
)
def test_a_topic_or_group_without_anybody_is_refused(load: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LoadSettings.model_validate(load)


@pytest.mark.parametrize(
    ("outcome", "kind", "place", "error"),
    [
        (Acknowledged("a", 1, 7, "id", "h:1"), "ok", ("a", 1, 7), None),
        (Refused(None, "no route", None), "fail", (None, None, None), "no route"),
        (Refused(2, "busy", "h:1", "a", 1), "fail", ("a", 1, None), "code 2: busy"),
        (Indeterminate("lost", "h:1", None, "a", 1), "info", ("a", 1, None), "lost"),
        (
            Indeterminate("slow", "h:1", 10, "a", 1, Position("a", 1, 9, "id")),
            "info",
            ("a", 1, 9),
            "code 10: slow",
        ),
    ],
)
def test_an_outcome_is_told_as_it_is(
    outcome: Outcome, kind: str, place: tuple[object, ...], error: str | None
) -> None:
    event = _event(1.0, PRODUCER, "p1-0", outcome)
    assert (event.type, event.error, event.key, event.op) == (kind, error, "p1-0", "send")
    assert (event.broker, event.queue, event.offset) == place


def test_the_quantiles_of_lateness() -> None:
    values = array("d", range(100, 0, -1))
    assert [_quantile(values, share) for share in (0.5, 0.99, 1.0)] == [51, 100, 100]
    assert _quantile(array("d"), 0.5) == 0


def oks(first: int, last: int) -> list[tuple[float, bytes]]:
    return [(tenth / 10, b"ok") for tenth in range(first, last + 1)]


def count(*outcomes: tuple[float, bytes]) -> Count:
    made = Count()
    for t, kind in outcomes:
        made.take(t, b"send", kind)
    return made


@pytest.mark.parametrize(
    ("outcomes", "sustained"),
    [
        ([], False),
        (oks(10, 99), True),
        ([*oks(10, 49), (5, b"fail"), *oks(51, 99)], False),
        ([*oks(10, 49), (5, b"info"), *oks(51, 99)], False),
        ([(4, b"fail"), *oks(45, 99)], True),
        (oks(10, 89), False),
        ([*oks(10, 50), *oks(61, 99)], False),
        (oks(51, 99), False),
        ([(1, b"invoke"), (9.9, b"invoke")], False),
    ],
)
def test_successes_are_sustained_when_nothing_else_came_for_long_enough(
    tmp_path: Path, outcomes: list[tuple[float, bytes]], sustained: bool
) -> None:
    with Recorder(tmp_path) as recorder:
        load = Workers(recorder, Native())
        here = ThisMachine(Native())
        load.workers = [
            Worker(PRODUCER, None, count(*outcomes), where=here),  # type: ignore[arg-type]
            Worker(CONSUMER, None, where=here),  # type: ignore[arg-type]
        ]
        assert load.sustained(5, now=10) is sustained
        assert not load.sustained(5, now=10, since=5)


async def flowing(load: Workers) -> Worker:
    """Start a producer that reaches nobody, and wait until it has said so."""
    await load.start([PRODUCER])
    (worker,) = load.workers
    end = time.monotonic() + 20
    while worker.count.refused < 20:
        assert time.monotonic() < end, worker.complaints
        await asyncio.sleep(0.01)
    return worker


async def test_a_process_writes_the_history_and_ends_in_order(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        load = Workers(recorder, Native())
        try:
            worker = await flowing(load)
            load.alive()
            await load.stop(load.workers, 10)
        finally:
            await load.close()
    assert worker.summary is not None
    assert worker.summary.skipped == 0
    events = [parse_line(line) for line in (tmp_path / FILE).read_text().splitlines()]
    sent = [event.key for event in events if event.type == "invoke"]
    assert len(sent) == worker.summary.sends == len(set(sent))
    assert sorted(str(event.key) for event in events if event.type == "fail") == sorted(map(str, sent))
    assert [event.t for event in events] == sorted(event.t for event in events)


async def test_a_process_ends_when_the_run_is_gone(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        load = Workers(recorder, Native())
        try:
            worker = await flowing(load)
            assert isinstance(worker.process.stdin, asyncio.StreamWriter)
            worker.process.stdin.close()
            async with asyncio.timeout(5):
                assert await worker.process.wait() == 1
            with pytest.raises(Inconclusive, match="producer-1 ended with 1"):
                load.alive()
        finally:
            await load.close()


async def test_a_killed_process_makes_the_run_inconclusive(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        load = Workers(recorder, Native())
        try:
            worker = await flowing(load)
            worker.process.kill()
            with pytest.raises(Inconclusive, match="-9"):
                await load.stop(load.workers, 10)
        finally:
            await load.close()
    assert all(isinstance(parse_line(line), Event) for line in (tmp_path / FILE).read_text().splitlines())


async def test_a_process_that_the_drill_killed_gets_a_successor_with_a_name_and_keys_of_its_own(
    tmp_path: Path,
) -> None:
    with Recorder(tmp_path) as recorder:
        load = Workers(recorder, Native())
        try:
            worker = await flowing(load)
            assert await load.kill(worker) == -9
            load.alive()
            assert load.producers == []
            again = await load.replace(worker)
            once_more = await load.replace(again)
            await load.stop(load.producers, 10)
        finally:
            await load.close()
    assert [one.name for one in (again, once_more)] == ["producer-1-2", "producer-1-3"]
    assert [getattr(one.settings, "prefix", "") for one in (again, once_more)] == ["p1-2", "p1-3"]
    assert str(again.client_name.place) == str(once_more.client_name.place) == "producer-1"


def route(request: Frame, address: str) -> Frame:
    group = {"brokerName": "a", "cluster": "c", "brokerAddrs": {"0": address}}
    queue = {"brokerName": "a", "perm": 6, "readQueueNums": 1, "writeQueueNums": 1}
    return reply(request, body=json.dumps({"brokerDatas": [group], "queueDatas": [queue]}).encode())


async def test_at_rate_0_so_many_sends_are_under_way_as_may_be(tmp_path: Path) -> None:
    under_way = 0
    most: list[int] = []

    async def answer(request: Frame) -> Answer:
        nonlocal under_way
        if request.code == RequestCode.GET_ROUTE_BY_TOPIC:
            return route(request, running.address)
        under_way += 1
        most.append(under_way)
        await asyncio.sleep(0.005)
        under_way -= 1
        return reply(request, queueId=0, queueOffset=len(most), msgId="m")

    async with peer(answer) as running:
        with Recorder(tmp_path) as recorder:
            load = Workers(recorder, Native())
            told = replace(PRODUCER, nameservers=(running.address,), epoch=recorder.epoch, rate=0, in_flight=3)
            await load.start([told])
            (worker,) = load.workers
            try:
                while worker.count.acknowledged < 100:
                    load.alive()
                    await asyncio.sleep(0.01)
                await load.stop(load.workers, 10)
            finally:
                await load.close()
    assert max(most) == 3
    assert worker.summary is not None
    assert worker.summary.sends == worker.count.acknowledged == len(most)


async def test_what_a_mortal_producer_sends_is_on_record_before_it_leaves(tmp_path: Path) -> None:
    """Each message that a peer has seen when the producer dies stands in the history as sent."""
    seen: list[str] = []

    def answer(request: Frame) -> Answer:
        if request.code == RequestCode.GET_ROUTE_BY_TOPIC:
            return route(request, running.address)
        seen.append(settings.key_of(request.body))
        if len(seen) == 50:
            os.kill(load.workers[0].process.pid, signal.SIGKILL)
        return reply(request, queueId=0, queueOffset=len(seen), msgId="m")

    async with peer(answer) as running:
        with Recorder(tmp_path) as recorder:
            load = Workers(recorder, Native())
            told = replace(PRODUCER, nameservers=(running.address,), epoch=recorder.epoch, ahead=True)
            await load.start([told])
            try:
                assert await load.workers[0].process.wait() == -9
            finally:
                await load.close()
    events = [parse_line(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert set(seen) <= {event.key for event in events if event.type == "invoke"}


async def test_closing_ends_whatever_is_left(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        load = Workers(recorder, Native())
        worker = await flowing(load)
        await load.close()
        assert worker.process.returncode == -9


async def test_a_consumer_tells_where_a_master_had_nothing_and_since_when(tmp_path: Path) -> None:
    async def answer(request: Frame) -> Answer:
        if request.code == RequestCode.GET_BROKER_CLUSTER_INFO:
            return reply(request, body=_route(f'0:"{running.address}"'))
        if request.code == RequestCode.GET_MAX_OFFSET:
            return reply(request, offset=0)
        await asyncio.sleep(0.05)
        nothing = ResponseCode.PULL_NOT_FOUND
        return reply(request, nothing, nextBeginOffset=0, minOffset=0, maxOffset=0, suggestWhichBrokerId=0)

    async with peer(answer) as running:
        with Recorder(tmp_path) as recorder:
            load = Workers(recorder, Native())
            told = replace(CONSUMER, nameservers=(running.address,), epoch=recorder.epoch, queues=1)
            await load.start([told])
            (worker,) = load.workers
            try:
                while worker.lines.total() < 2:
                    load.alive()
                    await asyncio.sleep(0.01)
                await load.stop(load.workers, 20)
            finally:
                await load.close()
    first, second, *_ = [parse_line(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert (first.op, first.type, first.queue, first.offset, first.key) == ("receive", "info", 0, 0, None)
    assert first.address == running.address
    since = [float((event.value or {})["asked"]) for event in (first, second)]
    assert since[0] < first.t <= since[1] < second.t
    assert worker.count.received == 0


def _route(*brokers: str) -> bytes:
    addresses = ",".join(brokers)
    return (
        f'{{"brokerAddrTable":{{"broker-a":{{"brokerAddrs":{{{addresses}}},"brokerName":"broker-a","cluster":"c"}}}},'
        '"clusterAddrTable":{"c":["broker-a"]}}'
    ).encode()


MASTER, SLAVES = '0:"10.0.0.9:1"', ('2:"10.0.0.2:1"', '1:"10.0.0.1:1"')


@pytest.mark.parametrize(
    ("brokers", "changes", "expected"),
    [
        (SLAVES, {}, (None, "master")),
        (SLAVES, {"unelecting": ("broker-a",)}, ("10.0.0.1:1", "slave")),
        ((MASTER, *SLAVES), {"unelecting": ("broker-a",)}, ("10.0.0.9:1", "master")),
        ((MASTER, *SLAVES), {"source": "master"}, ("10.0.0.9:1", "master")),
        ((MASTER, *SLAVES), {"source": "slave"}, ("10.0.0.1:1", "slave")),
        ((MASTER,), {"source": "slave"}, ("10.0.0.9:1", "master")),
    ],
)
async def test_who_is_read(
    brokers: tuple[str, ...], changes: dict[str, Any], expected: tuple[str | None, str]
) -> None:
    async with peer(lambda request: reply(request, body=_route(*brokers))) as server, Client() as client:
        told = replace(CONSUMER, nameservers=(server.address,), **changes)
        assert await _Reader(told, Outlet(0.0), client)._source("broker-a") == expected


@pytest.mark.parametrize(
    ("brokers", "last"), [((MASTER, *SLAVES), ("10.0.0.9:1", "master")), (SLAVES, ("10.0.0.1:1", "slave"))]
)
async def test_slaves_that_do_not_answer_are_left_for_the_next_and_for_the_master(
    brokers: tuple[str, ...], last: tuple[str, str]
) -> None:
    async with peer(lambda request: reply(request, body=_route(*brokers))) as server, Client() as client:
        reader = _Reader(replace(CONSUMER, nameservers=(server.address,), source="slave"), Outlet(0.0), client)
        for expected in [("10.0.0.1:1", "slave"), ("10.0.0.2:1", "slave"), last]:
            found = await reader._source("broker-a")
            assert found == expected
            reader._failed[str(found[0])] = asyncio.get_running_loop().time()


def test_the_last_consumers_read_slaves_and_all_say_whom_they_read() -> None:
    def sources(load: LoadSettings) -> list[str | None]:
        made = roster.process_settings(topology(), load, ["drill"], 0.0)
        return [one.source for one in made if isinstance(one, ConsumerSettings)]

    assert sources(LoadSettings(consumers=3, from_slaves=1)) == ["master", "master", "slave"]
    assert sources(LoadSettings(consumers=2)) == [None, None]


def test_the_pace_of_a_load_is_that_of_its_worst_producer() -> None:
    one = ProcessSummary("producer-1", 1000, 1, lateness_p99=2.5, lateness_max=9)
    told = roster.pace([one, ProcessSummary("producer-2", 500, lateness_max=1234)])
    assert told == {"sends": "1,500", "skipped": "1", "left late by": "2.5 ms (p99) and 1,234.0 ms (most)"}
    assert roster.pace([]) == {}


def test_messages_share_keys_by_turns_across_producers() -> None:
    assert [settings.shared_key(number, 3) for number in range(5)] == ["key-0", "key-1", "key-2", "key-0", "key-1"]

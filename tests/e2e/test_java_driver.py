"""The official Java client as a driver: what it says of a broker's answers, beside what the native one says.

The broker is one of this process, because no real one gives these answers on request. Real ones: test_drills.py.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

import pytest

from rmqops.chaos.history.format import FILE
from rmqops.chaos.history.lines import parse_line
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.load.clients import java
from rmqops.chaos.load.clients.drivers import Driver, Native
from rmqops.chaos.load.clients.settings import ProducerSettings, key_of
from rmqops.chaos.load.workers import Workers
from rmqops.model.history import Event
from rmqops.model.patch_choice import PatchChoice
from rmqops.remoting.codec import Frame
from rmqops.remoting.codes import RequestCode
from tests.unit.remoting.peer import Answer, peer, reply

pytestmark = pytest.mark.e2e

CLIENT = {
    "pollNameServerInterval": 30_000,
    "heartbeatBrokerInterval": 30_000,
    "sendMsgTimeout": 3000,
    "retryTimesWhenSendFailed": 2,
}
ANSWERS: list[tuple[tuple[int, str], tuple[str, str], tuple[str, str, int]]] = [
    # code and remark -> what the native client says, what the official one says, and how often that one tries;
    # 0 where that is a matter of whether it sees the end of the connection before its time is up
    ((0, ""), ("ok", ""), ("ok", "", 1)),
    ((10, ""), ("info", "code 10: stored, but"), ("info", "stored, but FLUSH_DISK_TIMEOUT", 1)),
    ((11, ""), ("info", "code 11: stored, but"), ("info", "stored, but SLAVE_NOT_AVAILABLE", 1)),
    ((12, ""), ("info", "code 12: stored, but"), ("info", "stored, but FLUSH_SLAVE_TIMEOUT", 1)),
    ((2, "[TIMEOUT_CLEAN_QUEUE]x"), ("fail", "code 2: ["), ("fail", "code 2: [TIMEOUT_CLEAN_QUEUE]x", 1)),
    ((13, "x"), ("fail", "code 13: x"), ("fail", "code 13: x", 1)),
    ((14, "x"), ("fail", "code 14: x"), ("fail", "code 14: x", 3)),
    ((16, "x"), ("fail", "code 16: x"), ("fail", "code 16: x", 3)),
    ((1, "[PC_SYNCHRONIZED]x"), ("info", "code 1: ["), ("info", "code 1: [PC_SYNCHRONIZED]x", 3)),
    ((1, "broker unable to service, until 9"), ("fail", "code 1: b"), ("fail", "code 1: broker unable to", 3)),
    ((99, "x"), ("info", "code 99: x"), ("info", "code 99: x", 1)),
    ((-1, "says nothing"), ("info", ""), ("info", "RemotingTimeoutException", 1)),
    ((-2, "closes"), ("info", ""), ("info", "Remoting", 0)),
]
MIXED = [(1, "UNKNOWN_ERROR"), (14, "x"), (0, "")]
"""Answers to the attempts of one more message: the first one may have stored it, the last one says so."""
WORSE = [(1, "UNKNOWN_ERROR"), (14, "x"), (14, "x")]
"""Refused in the end, yet the first attempt may have stored it."""


class Broker:
    """A NameServer and a master at once."""

    def __init__(self) -> None:
        self.address = ""
        self.seen: Counter[int] = Counter()

    def answer(self, request: Frame) -> Answer:
        if request.code == RequestCode.GET_ROUTE_BY_TOPIC:
            group = {"brokerName": "a", "cluster": "c", "brokerAddrs": {"0": self.address}}
            queue = {"brokerName": "a", "perm": 6, "readQueueNums": 1, "writeQueueNums": 1, "topicSynFlag": 0}
            return reply(request, body=json.dumps({"brokerDatas": [group], "queueDatas": [queue]}).encode())
        if request.code != RequestCode.SEND_MESSAGE_V2:
            return reply(request)
        number = int(key_of(request.body).rpartition("-")[2])
        self.seen[number] += 1
        attempts = [*([answer] * 3 for answer, *_ in ANSWERS), MIXED, WORSE, [(0, "")] * 3]
        code, remark = attempts[min(number, len(attempts) - 1)][self.seen[number] - 1]
        if code == -2:
            raise ConnectionAbortedError
        if code == -1:
            return None
        if code in (0, 10, 11, 12):
            return reply(request, code, remark=remark, queueId=0, queueOffset=number, msgId="m")
        return reply(request, code, remark=remark)


async def outcomes(driver: Driver, directory: Path) -> tuple[list[Event], Workers]:
    """Send until every answer was given, and return what became of the first messages, in order."""
    broker, wanted = Broker(), len(ANSWERS) + 2
    async with peer(broker.answer) as running:
        broker.address = running.address
        with Recorder(directory) as recorder:
            told = ProducerSettings(
                "producer-1", "p1", recorder.epoch, "drill", (running.address,), rate=10, size=64
            )
            load = Workers(recorder, driver)
            await load.start([told])
            (worker,) = load.workers
            try:
                end = time.monotonic() + 60
                while worker.count.acknowledged < 5:
                    assert time.monotonic() < end, worker.complaints
                    load.alive()
                    await asyncio.sleep(0.05)
                await load.stop(load.workers, 20)
            finally:
                await load.close()
    events = [parse_line(line) for line in (directory / FILE).read_text().splitlines()]
    assert [event.t for event in events] == sorted(event.t for event in events)
    assert [event for event in events if event.type != "invoke" and event.address != broker.address] == []
    ended = {event.key: event for event in events if event.type != "invoke"}
    sent = [event.key for event in events if event.type == "invoke"]
    assert worker.summary is not None
    assert len(ended) == len(sent) == len(set(sent)) == worker.summary.sends
    return [ended[f"p1-{number:08d}"] for number in range(wanted)], load


async def test_both_clients_say_the_same_of_the_same_answer(rocketmq_home: Path, tmp_path: Path) -> None:
    official, load = await outcomes(java.prepare("4.5.2", PatchChoice(), CLIENT), _made(tmp_path / "java"))
    native, _ = await outcomes(Native(), _made(tmp_path / "native"))
    for (answer, simple, (kind, words, attempts)), theirs, ours in zip(ANSWERS, official, native, strict=False):
        said = (theirs.type, (theirs.error or "")[: len(words)])
        assert said == (kind, words), (answer, theirs)
        assert not attempts or (theirs.value or {}).get("attempts", "1") == str(attempts), (answer, theirs)
        assert (ours.type, (ours.error or "")[: len(simple[1])]) == simple, (answer, ours)
        assert (theirs.broker, theirs.queue, theirs.offset) == (ours.broker, ours.queue, ours.offset), answer
    mixed, worse = official[-2:]
    assert (mixed.type, mixed.value) == ("ok", {"attempts": "3"})
    assert (worse.type, worse.error, worse.value) == ("info", "code 1: UNKNOWN_ERROR", {"attempts": "3"})
    told = load.client
    assert (told["driver"], told["version"]) == ("java", "4.5.2")
    assert {name: int(told[name]) for name in CLIENT} == CLIENT


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory

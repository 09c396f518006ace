"""Processes of the load as targets: who dies, what the history says of it, and what takes their place."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.drill import Strike
from rmqops.chaos.history import fault_records
from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.format import FILE
from rmqops.chaos.history.lines import parse_line
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.load.clients.drivers import Native, Settings
from rmqops.chaos.load.clients.settings import ConsumerSettings, ProducerSettings
from rmqops.chaos.load.workers import FLOWS_WITHIN, Workers
from rmqops.chaos.run import journal
from rmqops.chaos.run.client_kills import ClientKills
from rmqops.chaos.run.journal import Journal
from rmqops.errors import Inconclusive

PRODUCER = ProducerSettings("producer-1", "p1", 0.0, "drill", ("127.0.0.1:1",), rate=50, size=64)
ROSTER: list[Settings] = [
    PRODUCER,
    replace(PRODUCER, name="producer-2", prefix="p2"),
    ConsumerSettings("consumer-1", 0.0, "drill", "drill", ("127.0.0.1:1",), ("broker-a",), 4),
]


@asynccontextmanager
async def under_way(
    directory: Path, flows_within: float = FLOWS_WITHIN
) -> AsyncIterator[tuple[Workers, ClientKills]]:
    """Start a load that reaches nobody."""
    with Recorder(directory) as recorder, Journal(directory) as log:
        load = Workers(recorder, Native())
        try:
            await load.start(ROSTER)
            phase = {"phase": "1", "expects": "service"}
            yield (
                load,
                ClientKills("run-1", phase, load=load, journal=log, recorder=recorder, flows_within=flows_within),
            )
        finally:
            await load.close()


def faults(directory: Path) -> Sequence[FaultRecord]:
    return fault_records.faults(parse_line(line) for line in (directory / FILE).read_text().splitlines())


async def test_who_is_struck_dies_and_is_healed_when_the_load_ends(tmp_path: Path) -> None:
    async with under_way(tmp_path) as (load, mine):
        strikes = [Strike(fault="kill", target=target) for target in ("producer", "producer", "consumer")]
        mine.choose(strikes, random.Random(4))
        assert await mine.strike()
        assert load.living == []
        load.alive()
        with pytest.raises(Inconclusive, match="no process of the load is a consumer"):
            mine.choose(strikes[2:], random.Random(4))
        mine.close()
    found = faults(tmp_path)
    assert {fault.instance for fault in found} == {"producer-1", "producer-2", "consumer-1"}
    assert all(fault.verified and fault.healed for fault in found)
    assert all(str(fault.address).startswith("pid ") for fault in found), "no address that a master could have"
    assert {entry.step for entry in journal.read(tmp_path)} == {"inject", "verify"}


async def test_one_that_was_dead_already_was_not_killed_by_the_drill(tmp_path: Path) -> None:
    async with under_way(tmp_path) as (load, mine):
        mine.choose([Strike(fault="kill", target="producer-1")], random.Random(4))
        process = load.workers[0].process
        assert isinstance(process, asyncio.subprocess.Process)
        process.terminate()
        await process.wait()
        assert not await mine.strike()
        assert "before it was killed" in mine.errors[0]
        mine.close()
    (fault,) = faults(tmp_path)
    assert not fault.verified


async def test_a_new_life_that_does_nothing_is_no_heal(tmp_path: Path) -> None:
    async with under_way(tmp_path, flows_within=0.2) as (load, mine):
        mine.choose([Strike(fault="kill", target="producer-1")], random.Random(4))
        assert await mine.strike()
        assert not await mine.heal()
        assert "producer-1-2, did nothing" in mine.errors[0]
        assert [worker.name for worker in load.producers] == ["producer-2", "producer-1-2"]
    (fault,) = faults(tmp_path)
    assert fault.verified
    assert not fault.healed

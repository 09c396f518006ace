"""The runner's small parts: waiting, what cannot be cut in two, and the word for a drill that was cut short."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.report.result import Result
from rmqops.chaos.run import runner
from rmqops.chaos.run.sampler import RouteSampler
from rmqops.chaos.verdicts.evaluate import cut_short
from rmqops.chaos.verdicts.verdict import Counts, Verdict, Verdicts
from rmqops.errors import HealFailed, Inconclusive, OperationFailed, RmqopsError
from rmqops.system import waiting
from tests.support.instances import topology


async def test_waiting_ends_as_soon_as_nothing_is_in_the_way() -> None:
    seen = iter(["first", "second", None])

    async def look() -> str | None:
        return next(seen)

    await waiting.until("it", look, 10, interval=0)
    assert next(seen, "used up") == "used up"


async def test_waiting_in_vain_tells_what_was_seen_last() -> None:
    async def look() -> str | None:
        return "a stone"

    with pytest.raises(OperationFailed, match=r"the way free: not within 0 s; last seen: a stone"):
        await waiting.until("the way free", look, 0)


async def test_a_cancellation_waits_for_the_end_of_a_command() -> None:
    began, go, ended = threading.Event(), threading.Event(), threading.Event()

    def command() -> None:
        began.set()
        go.wait(10)
        ended.set()

    task = asyncio.ensure_future(waiting.to_end(command))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


def finished(word: Verdict, problem: RmqopsError | None) -> runner.Finished:
    verdicts = Verdicts(word, (), Counts())
    result = Result("kill-master", "local", 1, "", "", verdicts)
    return runner.Finished(Path(), result, None, problem)


@pytest.mark.parametrize("word", Verdict)
def test_a_drill_that_was_cut_short_never_passes_and_hides_no_worse_word(word: Verdict) -> None:
    judged = cut_short(Verdicts(word, (), Counts(), notes=("first",)), "interrupted")
    assert judged.overall is (Verdict.INCONCLUSIVE if word is Verdict.PASS else word)
    assert judged.notes == ("first", "the drill was cut short: interrupted")


@pytest.mark.parametrize(
    ("word", "problem", "code"),
    [
        (Verdict.PASS, None, 0),
        (Verdict.FAIL, None, 1),
        (Verdict.INCONCLUSIVE, Inconclusive("x"), 6),
        (Verdict.INCONCLUSIVE, HealFailed("x"), 7),
        (Verdict.FAIL, HealFailed("x"), 1),
    ],
)
def test_the_exit_code_is_that_of_the_contract(word: Verdict, problem: RmqopsError | None, code: int) -> None:
    assert finished(word, problem).exit_code == code


@pytest.mark.parametrize(("problem", "code"), [(None, 130), (Inconclusive("x"), 130), (HealFailed("x"), 7)])
def test_that_a_fault_may_be_in_force_outweighs_an_interruption(problem: RmqopsError | None, code: int) -> None:
    assert replace(finished(Verdict.INCONCLUSIVE, problem), interrupted=True).exit_code == code


@pytest.mark.parametrize(
    ("third", "deaf", "master"),
    [
        ("127.0.0.1:101", "", "broker-a-1"),
        ("127.0.0.1:102", "", None),
        (None, "", None),
        ("127.0.0.1:102", "namesrv-3", "broker-a-1"),
    ],
)
def test_a_master_is_agreed_when_all_who_were_not_struck_name_it(
    third: str | None, deaf: str, master: str | None
) -> None:
    cluster = topology()
    sampler = RouteSampler(cluster, lambda _: None, lambda: 0.0)
    agreed = "127.0.0.1:101"
    sampler.masters = {
        f"namesrv-{n}": {"broker-a": address} for n, address in ((1, agreed), (2, agreed), (3, third))
    }
    found = sampler.agreed("broker-a", {deaf})
    assert (found.name if found else None) == master


def test_nobody_is_master_before_the_first_answer() -> None:
    assert RouteSampler(topology(), lambda _: None, lambda: 0.0).agreed("broker-a") is None

"""What a dead master alone had acknowledged, and what a phase that expects reads asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.history.reader import open_history
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.checks import service
from rmqops.chaos.verdicts.evaluate import evaluate
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event, Type
from tests.support import drill
from tests.unit.chaos.verdicts.checks.recorded import write

READ = drill.HEALED - 2


END = 30.0


def reads_while_dead() -> list[Event]:
    """Tell a drill whose master is dead until after the heal, and that expects its slaves to be read meanwhile."""
    return drill.history(expects="reads", new_master=drill.HEALED + 0.5, end=END)


def told(role: str, lacking: int = 0) -> list[Event]:
    """Tell the drill, with a read of a slave that lacks the last messages that the master had acknowledged."""
    made = reads_while_dead()
    before = [event for event in made if event.op == "send" and event.type == "ok" and event.t < drill.FAULT]
    reader = Event(
        READ, "reader-1-broker-a-1", "receive", "invoke", "drill", "broker-a", 0, address=drill.ADDRESSES[1]
    )
    ends = replace(reader, offset=len(before) - lacking, value={"role": role})
    held = before[: len(before) - lacking]
    reads = [replace(reader, type="ok", offset=event.offset, key=event.key) for event in held]
    return sorted([*made, ends, *reads], key=lambda event: event.t)


def judged(events: Sequence[Event], directory: Path, name: str = "copied") -> CheckResult | None:
    verdicts = evaluate(write(events, directory), Bounds(standstill=2.0))
    return next((result for result in verdicts.results if result.name == name), None)


@pytest.mark.parametrize(
    ("role", "lacking", "expected"),
    [
        ("ASYNC_MASTER", 0, Verdict.PASS),
        ("ASYNC_MASTER", 3, Verdict.PASS),
        ("SYNC_MASTER", 0, Verdict.PASS),
        ("SYNC_MASTER", 1, Verdict.FAIL),
    ],
)
def test_what_was_not_copied_is_counted_and_judged_by_the_masters_role(
    role: str, lacking: int, expected: Verdict, tmp_path: Path
) -> None:
    found = judged(told(role, lacking), tmp_path)
    assert found is not None
    assert (found.verdict, found.numbers["not_copied"]) == (expected, lacking), found.summary
    assert len(found.evidence) == lacking


def test_a_slave_that_was_not_read_to_its_end_proves_nothing(tmp_path: Path) -> None:
    events = told("SYNC_MASTER")
    broken = next(event for event in events if event.process.startswith("reader-"))
    found = judged([*events, replace(broken, t=END + 1, type="fail", offset=None, error="gone")], tmp_path)
    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE


def test_nothing_is_judged_where_no_phase_expects_reads(tmp_path: Path) -> None:
    events = drill.history(expects="standstill", new_master=drill.HEALED + 0.5, end=END)
    assert judged(events, tmp_path) is None


def test_reads_alone_are_not_enough_when_the_others_do_not_serve(tmp_path: Path) -> None:
    found = judged(told("ASYNC_MASTER"), tmp_path, "service")
    assert found is not None
    assert found.verdict is Verdict.FAIL
    assert "did not serve" in found.summary


def test_a_reader_is_no_read_back(tmp_path: Path) -> None:
    found = judged(told("ASYNC_MASTER", 3), tmp_path, "replicas")
    assert found is not None
    assert "reader-" not in found.summary


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], []),
        (["fail", "fail"], [Verdict.PASS]),
        (["fail", "ok"], [Verdict.FAIL]),
        (["fail", "info"], [Verdict.INCONCLUSIVE]),
    ],
)
def test_a_slave_must_refuse_what_is_offered_to_it(
    kinds: list[Type], expected: list[Verdict], tmp_path: Path
) -> None:
    offered = [
        Event(READ, f"writer-1-broker-a-{number}", "probe", kind, "drill", "broker-a", 0, key=f"w-{number}")
        for number, kind in enumerate(kinds)
    ]
    elsewhere = Event(READ, "writer-2-broker-a-1", "probe", "ok", "drill", "broker-a", 0, key="of another phase")
    path = write(sorted([*reads_while_dead(), *offered, elsewhere], key=lambda event: event.t), tmp_path)
    with open_history(path) as history:
        assert [phase.verdict for phase in service._refuses(history, 1)] == expected

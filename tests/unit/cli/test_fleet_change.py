"""What is told of a change that somebody ended, and how a person is asked."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rmqops.cli import fleet_change, plan_table
from rmqops.errors import Unsafe
from rmqops.operations.change import audit
from rmqops.operations.change.deploy import Deploy
from rmqops.operations.observe import health
from tests.support.scripted_fleet import ScriptedFleet


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedFleet]:
    """A deployed fleet with one instance that is down."""
    monkeypatch.setenv("RMQOPS_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(health, "INTERVAL", 0.005)
    with ScriptedFleet(tmp_path) as made:
        made.deploy()
        made.kill("broker-a-1")
        yield made


def deploy(scripted: ScriptedFleet) -> Deploy:
    return Deploy(scripted.fleet, scripted.topology.instances, scripted.artifact)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError])
def test_a_change_that_was_interrupted_says_so_and_is_on_record(
    scripted: ScriptedFleet, interruption: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    scripted.interrupt_at, scripted.interruption = 2, interruption
    with pytest.raises(interruption):
        fleet_change.perform(deploy(scripted), fleet_change.show_nothing)
    assert "interrupted; the same command goes on from here" in capsys.readouterr().err
    assert [entry.outcome for entry in audit.entries()] == ["interrupted"]


def test_a_change_that_failed_is_not_called_interrupted(
    scripted: ScriptedFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    def no(_plan: object) -> None:
        raise Unsafe("no")

    with pytest.raises(Unsafe):
        fleet_change.perform(deploy(scripted), fleet_change.show_nothing, no)
    assert "interrupted" not in capsys.readouterr().err


def test_each_step_and_each_change_is_a_line_on_standard_error(
    scripted: ScriptedFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet_change.perform(
        deploy(scripted), lambda plan: plan_table.show("deploy", scripted.topology, plan), lambda plan: None
    )
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = [line.strip() for line in shown.err.splitlines()]
    assert any(line.startswith("broker-a-1") and line.endswith(" start") for line in lines)
    assert any(line.startswith("broker-a-0") and line.endswith(" nothing") for line in lines)
    assert [line.split(" s ", 1)[1].strip() for line in lines if " s  " in line] == [
        "site",
        "broker-a-1: site done",
        "waiting for health",
    ]


@pytest.mark.parametrize(("typed", "goes_on"), [("y\n", True), ("yes\n", True), ("\n", False), ("", False)])
def test_only_a_yes_goes_on(typed: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    if goes_on:
        fleet_change.go_on(None)
    else:
        with pytest.raises(Unsafe, match="not confirmed; nothing was touched"):
            fleet_change.go_on(None)


def test_without_a_terminal_nobody_has_said_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(Unsafe, match="not confirmed"):
        fleet_change.go_on(None)

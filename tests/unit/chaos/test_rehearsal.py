"""What a drill would send."""

from __future__ import annotations

import pytest

from rmqops.chaos import drill, rehearsal
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.chaos.run import preflight
from rmqops.chaos.run.preflight import Probed
from rmqops.errors import PreflightFailed, UsageError
from rmqops.model.commands import Command
from rmqops.transport.fake import FakeTransport
from tests.support.instances import topology

MINE = """
name: mine
description: a trial
proves: [a]
does_not_prove: [b]
phases:
  - strikes: [{fault: kill, target: master}]
  - strikes: [{fault: kill, target: slave}, {fault: pause, target: namesrv}]
"""
CLUSTER = topology()


def test_every_command_of_a_strike_is_told_in_its_order() -> None:
    found = drill.parse(MINE, "mine.yml")
    strike = next(found.strikes)
    acts = list(
        rehearsal.acts(found, [Probed(strike, Aim(CLUSTER.instance("broker-a-1"), CLUSTER, strike.chosen), "42")])
    )
    assert [act.step for act in acts] == ["probe", "arm", "inject", "verify", "heal", "healed", "disarm"]
    assert {(act.instance, act.host, act.strike) for act in acts} == {("broker-a-1", "localhost", "kill master")}
    assert "KILL" in acts[2].argv
    assert "120.000" in acts[1].argv


def test_every_fault_is_probed_wherever_its_target_could_be_and_nothing_else_is_sent() -> None:
    asked: list[Command] = []

    def answer(command: Command) -> tuple[int, str]:
        asked.append(command)
        return 0, "42"

    found = preflight.possible(CLUSTER, drill.parse(MINE, "mine.yml"), lambda _: FakeTransport(answer), ())
    assert len(found) == len(asked) == 3 + 3
    assert all("kill -0" in str(command) for command in asked)


def test_a_fault_that_is_not_possible_is_named_with_its_place() -> None:
    with pytest.raises(PreflightFailed) as caught:
        preflight.possible(
            CLUSTER, drill.parse(MINE, "mine.yml"), lambda _: FakeTransport(lambda _: (1, "no")), ()
        )
    assert "broker-a-2: kill: no" in str(caught.value.detail)
    assert "namesrv-3: pause: no" in str(caught.value.detail)


def test_peers_that_are_nobody_are_refused() -> None:
    text = MINE.replace("{fault: kill, target: master}", "{fault: loss, target: master, with: {peers: strangers}}")
    with pytest.raises(UsageError, match="'strangers' are no peers"):
        preflight.possible(CLUSTER, drill.parse(text, "mine.yml"), lambda _: FakeTransport(lambda _: (0, "")), ())

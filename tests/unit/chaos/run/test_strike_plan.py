"""Whom the strikes of a phase mean, and how that is told."""

from __future__ import annotations

import pytest

from rmqops.chaos.drill import scheduled
from rmqops.chaos.run import strike_plan
from rmqops.errors import Inconclusive
from tests.support.instances import topology
from tests.support.scripted_drills import of

CLUSTER = topology(groups=2)
MASTERS = {"namesrv-1": {"broker-a": "127.0.0.1:101", "broker-b": "127.0.0.1:202"}}


def test_strikes_of_one_phase_mean_the_same_group() -> None:
    for seed in range(20):
        (step,) = scheduled(of(("kill", "master"), ("kill", "slave")), seed)
        master, slave = strike_plan.planned(step, CLUSTER, MASTERS, ("10.0.0.1",))
        assert master.victim.address == MASTERS["namesrv-1"][str(master.victim.group)]
        assert slave.victim.group == master.victim.group
        assert slave.victim != master.victim
        assert master.aim.clients == ("10.0.0.1",)


def test_where_nobody_is_agreed_on_nobody_is_struck() -> None:
    (step,) = scheduled(of(("kill", "master")), 1)
    differing: dict[str, dict[str, str | None]] = {"namesrv-2": {"broker-a": "127.0.0.1:100", "broker-b": None}}
    with pytest.raises(Inconclusive, match="so there is none to strike"):
        list(strike_plan.planned(step, CLUSTER, {**MASTERS, **differing}, ()))


def test_a_strike_is_told_with_whom_it_means() -> None:
    (step,) = scheduled(of(("kill", "namesrv-1, namesrv-2"), ("kill", "consumer")), 1)
    planned = list(strike_plan.planned(step, CLUSTER, MASTERS, ()))
    servers, consumer = step.phase.strikes
    assert strike_plan.announcement(servers, planned, []) == (
        "strike: kill namesrv-1, namesrv-2, that is namesrv-1 (127.0.0.1:1), namesrv-2 (127.0.0.1:2)"
    )
    told = strike_plan.announcement(consumer, planned, [(consumer, "consumer-1 (pid 7)")])
    assert told == "strike: kill consumer, that is consumer-1 (pid 7)"

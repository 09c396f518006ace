"""The guard: what is refused, and that not one command is sent for a drill that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.chaos import drill as drills
from rmqops.chaos.drill import Drill, guard
from rmqops.chaos.run import preflight, runner
from rmqops.chaos.run.context import Request
from rmqops.chaos.run.environment import Environment
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.errors import PreflightFailed, Unsafe, UsageError
from rmqops.model.topology import Mode, Topology
from rmqops.transport.fake import FakeTransport
from tests.support.instances import topology


def drill(**changes: object) -> Drill:
    return drills.find("kill-master").changed(**changes)


@pytest.mark.parametrize(
    ("drillable", "typed", "allowed"),
    [
        (True, None, True),
        (True, "trial", True),
        (True, "other", False),
        (False, None, False),
        (False, "other", False),
        (False, "trial", True),
    ],
)
def test_a_cluster_is_drilled_only_if_marked_or_named(drillable: bool, typed: str | None, allowed: bool) -> None:
    cluster = topology(drillable=drillable)
    if allowed:
        guard.permit(cluster, typed)
    else:
        with pytest.raises(Unsafe, match="nothing was touched"):
            guard.permit(cluster, typed)


def refusal(cluster: Topology, names: str, allows: tuple[str, ...] = (), ailing: tuple[str, ...] = ()) -> str:
    victims = [cluster.instance(name) for name in names.split()]
    try:
        guard.limit(cluster, drill(allows=allows), victims, ailing)
    except Unsafe as error:
        return str(error.remedy)
    return ""


@pytest.mark.parametrize(
    ("names", "ailing", "refused_for"),
    [
        ("broker-a-0", (), ""),
        ("broker-a-0 broker-a-1", (), "majority"),
        ("broker-a-0", ("broker-a-1",), "majority"),
        ("broker-a-0 broker-b-0", (), "several-groups"),
        ("namesrv-1 namesrv-2", (), ""),
        ("namesrv-1 namesrv-2 namesrv-3", (), "last-nameserver"),
        ("namesrv-1", ("namesrv-2", "namesrv-3"), "last-nameserver"),
        ("broker-a-0", ("namesrv-1", "namesrv-2", "namesrv-3"), ""),
    ],
)
def test_a_strike_takes_no_more_than_the_drill_declares(
    names: str, ailing: tuple[str, ...], refused_for: str
) -> None:
    cluster = topology(groups=2)
    told = refusal(cluster, names, ailing=ailing)
    assert (refused_for in told) if refused_for else told == ""
    if refused_for:
        assert refusal(cluster, names, allows=(refused_for,), ailing=ailing) == ""


@pytest.mark.parametrize(("mode", "refused"), [("dledger", True), ("master-slave", False)])
def test_without_an_election_one_living_member_is_enough(mode: Mode, refused: bool) -> None:
    assert bool(refusal(topology(mode=mode), "broker-a-0 broker-a-1")) is refused


@pytest.mark.parametrize(
    ("target", "cluster", "error"),
    [
        ("master", topology(drillable=False), Unsafe),
        ("majority", topology(), Unsafe),
        ("all", topology(), Unsafe),
        ("broker-a-0,broker-b-1", topology(groups=2), Unsafe),
        ("namesrv-1,namesrv-2,namesrv-3", topology(), Unsafe),
        ("broker-z", topology(), UsageError),
        ("slave", topology(members=1, mode="master-slave"), UsageError),
    ],
)
def test_a_refused_drill_sends_no_command(
    tmp_path: Path, target: str, cluster: Topology, error: type[Exception]
) -> None:
    transport = FakeTransport(lambda _: (0, ""))
    request = Request(
        cluster, drill(phases=[{"strikes": [{"fault": "kill", "target": target}]}]), tmp_path / "runs", seed=1
    )
    with pytest.raises(error):
        runner.run(request, print, Environment(transports=lambda _: transport))
    assert transport.commands == []
    assert not (tmp_path / "runs").exists()


def test_a_drill_about_shares_needs_two_groups() -> None:
    one = drills.find("even-shares")
    with pytest.raises(PreflightFailed, match="needs two groups"):
        preflight.fits(topology(), one)
    preflight.fits(topology(groups=2), one)
    assert preflight.possible(topology(groups=2), one, lambda _: FakeTransport(lambda _: (0, "")), ()) == ()


def test_the_limits_of_a_drill_are_what_its_checks_go_by(tmp_path: Path) -> None:
    wanted = Request(topology(), drill(limits={"rto": 12.5, "uneven": 2}), tmp_path, seed=1)
    assert wanted.bounds == Bounds(rto_limit=12.5, uneven_limit=2)

"""What is told of a cluster, from answers as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from rmqops.errors import OperationFailed
from rmqops.model.topology import Group, Instance, Topology, Value
from rmqops.operations.observe import health
from rmqops.operations.observe.status import MAX_LAG, Answers, Status, assess
from rmqops.remoting.routes import BrokerGroup, ClusterInfo, RuntimeInfo


def instance(name: str, port: int, group: str | None = None) -> Instance:
    variables: dict[str, Value] = {
        "rocketmq_address": "10.0.0.1",
        "rocketmq_listen_port": port,
        "rocketmq_instance_dir": "/nowhere",
        "rocketmq_supervisor": "detached",
    }
    return Instance(name, "broker" if group else "namesrv", group, "10.0.0.1", "local", variables)


MEMBERS = tuple(instance(f"b{n}", 11 + n, "g") for n in range(3))
TOPOLOGY = Topology(
    "c",
    "4.5.2",
    "inv",
    (instance("n1", 1), instance("n2", 2)),
    (Group("g", "dledger", MEMBERS),),
    drillable=True,
)
UNLISTED = "and is not in the inventory: clients send there"
ROUTE = {0: "10.0.0.1:11", 2: "10.0.0.1:12", 3: "10.0.0.1:13"}


def info(addresses: Mapping[int, str], name: str = "g") -> ClusterInfo:
    return ClusterInfo({name: BrokerGroup(name, "c", addresses)} if addresses else {}, {"c": (name,)})


def runtime(end: int = 100) -> RuntimeInfo:
    return RuntimeInfo("V4_5_2", 0, end, 0, {})


def answers(
    n1: Mapping[int, str] | None = None, n2: Mapping[int, str] | None = None, **changes: RuntimeInfo | None
) -> Answers:
    runtimes = {name: changes.get(name, runtime()) for name in ("b0", "b1", "b2")}
    return Answers(
        {"n1": info(ROUTE if n1 is None else n1), "n2": info(ROUTE if n2 is None else n2)},
        {name: found for name, found in runtimes.items() if found},
        {name: "no answer" for name, found in runtimes.items() if not found},
    )


def test_a_healthy_cluster() -> None:
    status = assess(TOPOLOGY, answers())
    assert status.healthy
    assert status.groups[0].master == "10.0.0.1:11"
    assert [member.role for member in status.groups[0].members] == ["master", "slave", "slave"]
    groups = status.json()["groups"]
    assert isinstance(groups, list)
    assert groups[0]["members"][1] == {
        "name": "b1",
        "address": "10.0.0.1:12",
        "role": "slave",
        "alive": True,
    }


def test_the_name_of_the_group_does_not_matter_but_the_address_does() -> None:
    """A broker with the minimal configuration registers under its machine's name."""
    found = dataclasses.replace(answers(), routes={name: info(ROUTE, "myhost") for name in ("n1", "n2")})
    assert assess(TOPOLOGY, found).healthy


def test_what_is_registered_and_in_no_inventory_is_told_group_by_group_and_holds_up_no_gate() -> None:
    foreign = info({0: "10.0.0.9:1", 1: "10.0.0.9:2"}, "orders").groups
    found = dataclasses.replace(
        answers(n2={**ROUTE, 7: "10.0.0.8:1"}),
        routes={
            "n1": ClusterInfo({**info(ROUTE).groups, **foreign}, {}),
            "n2": ClusterInfo({**info({**ROUTE, 7: "10.0.0.8:1"}).groups, **foreign}, {}),
        },
    )
    status = assess(TOPOLOGY, found)
    assert status.healthy
    assert status.unlisted == (
        f"orders (10.0.0.9:1, 10.0.0.9:2) is registered with n1, n2 {UNLISTED}",
        f"10.0.0.8:1 of group g is registered with n2 {UNLISTED}",
    )


@pytest.mark.parametrize(
    ("found", "problem", "ailing"),
    [
        (answers(n1={2: "10.0.0.1:12", 3: "10.0.0.1:13"}), "no master at n1", {"b0", "b1", "b2"}),
        (answers(n2={0: "10.0.0.1:12", 1: "10.0.0.1:11", 3: "10.0.0.1:13"}), "differ", {"b0", "b1", "b2"}),
        (answers(n2={0: "10.0.0.1:11", 2: "10.0.0.1:12"}), "b2 is not registered with n2", {"b2"}),
        (answers(b1=None), "b1 does not answer: no answer", {"b1"}),
        (answers(b0=runtime(MAX_LAG + 102)), "bytes behind its master", {"b1", "b2"}),
        (answers(n1={}, n2={}), "no master at n1, n2", {"b0", "b1", "b2"}),
    ],
)
def test_what_is_wrong_is_said(found: Answers, problem: str, ailing: set[str]) -> None:
    status = assess(TOPOLOGY, found)
    assert any(problem in text for text in status.problems), status.problems
    assert ailing <= set(status.ailing)


def test_a_nameserver_that_does_not_answer_has_no_say() -> None:
    found = Answers({"n1": info(ROUTE)}, answers().runtimes, {"n2": "refused"})
    status = assess(TOPOLOGY, found)
    assert status.groups[0].master == "10.0.0.1:11"
    assert [server.reachable for server in status.nameservers] == [True, False]
    assert status.problems == ("NameServer n2 does not answer: refused",)


class Clock:
    """A clock that goes on when somebody waits."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def test_waiting_ends_when_the_cluster_is_healthy() -> None:
    clock = Clock()
    looks: list[float] = []

    def look(topology: Topology) -> Status:
        looks.append(clock.now)
        return assess(topology, answers() if clock.now > 5 else answers(b1=None))

    assert health.wait(TOPOLOGY, 60, look=look, clock=clock, pause=clock.pause).healthy
    assert 5 < looks[-1] < 6


def test_waiting_fails_with_what_was_seen_last() -> None:
    clock = Clock()
    with pytest.raises(OperationFailed, match="not healthy after 60 s") as raised:
        health.wait(
            TOPOLOGY, 60, look=lambda topology: assess(topology, answers(b1=None)), clock=clock, pause=clock.pause
        )
    assert "b1 does not answer" in str(raised.value.detail)


def test_what_is_wrong_elsewhere_does_not_count_for_some() -> None:
    found = assess(TOPOLOGY, answers(b2=None))
    assert not found.healthy
    assert found.about(["n1", "b0"]).healthy
    assert found.about(["b0", "b2"]).problems == found.problems


def test_a_group_without_a_master_is_the_trouble_of_each_member() -> None:
    found = assess(TOPOLOGY, answers(n2={2: "10.0.0.1:12", 3: "10.0.0.1:13"}))
    assert not found.about(["b0"]).healthy

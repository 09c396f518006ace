"""Who is master by the files, and what must not be started or deployed because of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from rmqops.errors import Unsafe, UsageError
from rmqops.model.topology import Instance, Topology
from rmqops.operations import inventories
from rmqops.operations.change import promote
from rmqops.operations.hosts import facts
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.plan import drift, mastership
from rmqops.operations.plan.mastership import Role
from rmqops.transport.fake import FakeTransport
from tests.support.clusters import classic_inventory

MASTER, SLAVE = Role(0, "ASYNC_MASTER"), Role(1, "SLAVE")


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump(classic_inventory(tmp_path / "srv", 23000), sort_keys=False))
    return inventories.load(str(inventory)).topology


def hosts(topology: Topology, deployed: Mapping[str, Role], alive: tuple[str, ...] = ()) -> FakeTransport:
    """Answer the question for facts: what the files of the members of broker-a say, and who runs."""
    blocks = ["listening"]
    for member in topology.groups[0].members:
        role = deployed.get(member.name)
        lines = [f"instance {member.home}", "release r"]
        if role:
            lines += [f"mark {topology.cluster}/{member.name}", "tree /t/1"]
            lines += [f"setting brokerId={role.number}", f"setting brokerRole={role.word}"]
        blocks.append("\n".join([*lines, *(["pid 7"] if member.name in alive else [])]))
    return FakeTransport(lambda _command: (0, "\n".join(blocks) + "\n"))


def on_hosts(topology: Topology, chosen: list[Instance], fake: FakeTransport) -> Mapping[str, Facts]:
    """Ask the hosts that a refusal is about."""
    return facts.survey(mastership.concerned(topology, chosen), lambda _: fake).facts


def test_the_files_are_rendered_with_another_role(topology: Topology) -> None:
    from rmqops.operations.plan import trees

    member = topology.instance("broker-a-1")
    files = {file.path: file.content for file in trees.tree(mastership.with_role(member, MASTER))}
    assert "\nbrokerRole=ASYNC_MASTER\nbrokerId=0\n" in files["conf/broker.p"]
    own = {file.path: file.content for file in trees.tree(member)}
    assert {path for path in own if own[path] != files[path]} == {"conf/broker.p"}


@pytest.mark.parametrize(
    ("deployed", "refused"),
    [
        ({}, False),
        ({"broker-a-0": MASTER, "broker-a-1": SLAVE}, False),
        ({"broker-a-0": SLAVE, "broker-a-1": MASTER}, True),
        ({"broker-a-1": MASTER}, True),
    ],
)
def test_a_deploy_swaps_no_roles(topology: Topology, deployed: dict[str, Role], refused: bool) -> None:
    one = [topology.instance("broker-a-0")]
    found = on_hosts(topology, one, hosts(topology, deployed))
    if refused:
        with pytest.raises(Unsafe, match="does not change roles"):
            mastership.refuse_swap(topology, one, found)
    else:
        mastership.refuse_swap(topology, one, found)


@pytest.mark.parametrize(
    ("deployed", "alive", "master", "refused"),
    [
        ({"broker-a-0": MASTER, "broker-a-1": SLAVE}, (), None, False),
        ({"broker-a-0": MASTER, "broker-a-1": SLAVE}, ("broker-a-1",), "127.0.0.1:23020", True),
        ({"broker-a-0": MASTER, "broker-a-1": MASTER}, ("broker-a-1",), "127.0.0.1:23020", True),
        ({"broker-a-0": MASTER, "broker-a-1": MASTER}, ("broker-a-0",), None, False),
        ({"broker-a-0": SLAVE, "broker-a-1": MASTER}, ("broker-a-1",), "127.0.0.1:23020", False),
    ],
)
def test_no_second_master_is_started(
    topology: Topology, deployed: dict[str, Role], alive: tuple[str, ...], master: str | None, refused: bool
) -> None:
    one = [topology.instance("broker-a-0")]
    found = on_hosts(topology, one, hosts(topology, deployed, alive))
    if refused:
        with pytest.raises(Unsafe, match="two masters"):
            mastership.refuse_second_master(topology, one, found, lambda _: {"broker-a": master})
    else:
        mastership.refuse_second_master(topology, one, found, lambda _: {"broker-a": master})


def test_a_role_that_is_not_the_inventorys_is_drift(topology: Topology) -> None:
    fake = hosts(topology, {"broker-a-0": SLAVE, "broker-a-1": SLAVE})
    found = facts.gather(topology.groups[0].members, lambda _: fake)
    told = [text for one in topology.groups[0].members for text in drift.of_role(one, found[one.name])]
    assert told == [
        "is deployed as SLAVE, broker id 1, and the inventory says ASYNC_MASTER, broker id 0",
    ]


@pytest.mark.parametrize(
    ("changes", "done", "resumed"),
    [
        ({}, False, False),
        ({"new_master": (MASTER, MASTER), "old_master": (SLAVE, SLAVE)}, True, False),
        ({"new_master": (MASTER, MASTER), "old_master": (SLAVE, SLAVE), "running": False}, False, False),
        ({"new_master": (MASTER, MASTER), "old_master": (SLAVE, SLAVE), "log_end": 7}, False, False),
        ({"new_master": (MASTER, MASTER), "old_master": (None, SLAVE), "gone": True, "log_end": 7}, True, False),
        ({"running": False}, False, False),
        ({"running": False, "log_end": 7}, False, True),
    ],
)
def test_what_an_earlier_run_has_left_to_do(
    topology: Topology, changes: dict[str, object], done: bool, resumed: bool
) -> None:
    roles_of = {"new_master": (SLAVE, MASTER), "old_master": (MASTER, SLAVE), **changes}
    new_master, old_master = (
        promote.RoleChange(topology.instance(name), *roles_of.pop(key))  # type: ignore[misc]
        for name, key in (("broker-a-1", "new_master"), ("broker-a-0", "old_master"))
    )
    rest = {"gone": False, **roles_of}
    plan = promote.PromotionPlan(topology.groups[0], new_master, old_master, **rest)  # type: ignore[arg-type]
    assert (plan.done, plan.resumed) == (done, resumed)


def test_who_elects_or_is_alone_is_not_promoted(topology: Topology) -> None:
    local = inventories.load(str(Path(__file__).parents[4] / "inventory" / "local")).topology
    with pytest.raises(Unsafe, match="elects its master by itself"):
        promote.find_slave(local, "broker-a-1")
    alone = inventories.load(str(Path(__file__).parents[4] / "inventory" / "quickstart")).topology
    with pytest.raises(Unsafe, match="there is no slave"):
        promote.find_slave(alone, alone.brokers[0].name)
    with pytest.raises(UsageError, match="has no broker nobody"):
        promote.find_slave(topology, "nobody")

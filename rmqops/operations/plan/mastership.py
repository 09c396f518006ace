"""Who is master and who is slave in a group without elections, as the members' own files say.

In mode ``master-slave`` a role is a matter of two lines of ``broker.p``, and of whoever wrote them last: the
inventory through a deploy, or ``rmqops promote``. Two members whose files both say master are two masters as soon
as both run: each registers as broker 0, and takes the other's place in the route at every heartbeat
(``RouteInfoManager.registerBroker``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from rmqops.errors import Unsafe
from rmqops.model.roles import MASTER_ID
from rmqops.model.topology import Group, Instance, Topology, Value
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.observe import health

if TYPE_CHECKING:
    from rmqops.model.variables import HostVariables

SLAVE = "SLAVE"


@dataclass(frozen=True)
class Role:
    """A member's two settings."""

    number: int
    """``brokerId``; 0 is the master."""
    word: str
    """``brokerRole``."""

    @property
    def master(self) -> bool:
        """Whether it is the master's."""
        return self.number == MASTER_ID

    def __str__(self) -> str:
        return f"{self.word}, broker id {self.number}"


def role_in_inventory(instance: Instance) -> Role:
    """Return the role that the inventory says."""
    return Role(instance.number("rocketmq_broker_id"), instance.text("rocketmq_broker_role"))


def role_on_host(facts: Facts) -> Role | None:
    """Return the role that the file in force says; None where nothing is deployed."""
    number, word = facts.settings.get("brokerId", ""), facts.settings.get("brokerRole")
    return Role(int(number), word) if word and number.isdecimal() else None


def with_role(instance: Instance, role: Role) -> Instance:
    """Return an instance as it would be if the inventory said that role."""
    settings: dict[str, Value] = {"rocketmq_broker_id": role.number, "rocketmq_broker_role": role.word}
    return replace(instance, variables=cast("HostVariables", instance.variables).overlaid(settings))


def difference(instance: Instance, facts: Facts) -> str | None:
    """Say that a deployed member's role is not the inventory's; None where it is."""
    role = role_on_host(facts) if instance.variables.get("rocketmq_mode") == "master-slave" else None
    if role is None or role == role_in_inventory(instance):
        return None
    return f"is deployed as {role}, and the inventory says {role_in_inventory(instance)}"


def concerned(topology: Topology, instances: Collection[Instance]) -> tuple[Instance, ...]:
    """Return instances and all members of their groups without elections: whom the refusals are about."""
    members = (member for group in _groups(topology, instances) for member in group.members)
    return tuple({instance.name: instance for instance in (*instances, *members)}.values())


def refuse_swap(topology: Topology, instances: Collection[Instance], facts: Mapping[str, Facts]) -> None:
    """Refuse to deploy members of a group whose roles on the hosts are not the inventory's.

    A deploy would make a master of one and a slave of another, each by a restart: with two masters or none in
    between, and without a look at what only one of them holds.

    Args:
        topology: The cluster.
        instances: Those to be deployed.
        facts: What is on the hosts of :func:`concerned`, as far as they could be asked.

    Raises:
        Unsafe: such a group has a member among ``instances``.
    """
    differences = [
        f"{member.name} {text}"
        for group in _groups(topology, instances)
        for member in group.members
        if member.name in facts and (text := difference(member, facts[member.name]))
    ]
    if differences:
        raise Unsafe(
            "roles on the hosts are not those of the inventory, and a deploy does not change roles",
            detail="\n".join(differences),
            remedy="give them back with rmqops promote --undo, or write them into the inventory "
            "(rocketmq_broker_id, rocketmq_broker_role)",
        )


def refuse_second_master(
    topology: Topology,
    instances: Collection[Instance],
    facts: Mapping[str, Facts],
    masters: Callable[[Topology], Mapping[str, str | None]] = health.masters_by_group,
) -> None:
    """Refuse to start a master beside another one.

    Args:
        topology: The cluster.
        instances: Those to be started.
        facts: What is on the hosts of :func:`concerned`, as far as they could be asked.
        masters: Tells the address of each group's master, as the NameServers say it now; not asked for groups that
            elect.

    Raises:
        Unsafe: a group would have two masters.
    """
    groups = _groups(topology, instances)
    if not groups:
        return
    addresses = masters(topology)
    conflicts = [
        text for group in groups for text in _conflicts(group, instances, facts, addresses.get(group.name))
    ]
    if conflicts:
        raise Unsafe(
            "nothing was started: a group would have two masters",
            detail="\n".join(conflicts),
            remedy="rmqops promote with the one that is to be master makes the other its slave",
        )


def _conflicts(
    group: Group, instances: Collection[Instance], facts: Mapping[str, Facts], master: str | None
) -> Iterator[str]:
    chosen = {instance.name for instance in instances}
    masters_by_file = [
        member
        for member in group.members
        if member.name in facts and (role := role_on_host(facts[member.name])) is not None and role.master
    ]
    for member in masters_by_file:
        others = [other.name for other in masters_by_file if other != member]
        if member.name not in chosen or facts[member.name].alive:
            continue
        if others:
            yield f"{member.name} is deployed as master of {group.name}, and so is {', '.join(others)}"
        elif master is not None and master != member.address:
            yield f"{member.name} is deployed as master of {group.name}, and {master} is master now"


def _groups(topology: Topology, instances: Collection[Instance]) -> list[Group]:
    names = {instance.group for instance in instances}
    return [group for group in topology.groups if group.mode == "master-slave" and group.name in names]

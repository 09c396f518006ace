"""Give broker groups that are new in a cluster the topics and consumer groups that the others have.

A new group is known to every NameServer as soon as it runs, and yet is in no topic's route: a broker serves the
topics of its own list (``TopicConfigManager``), and nothing brings it another group's. Consumer groups go first,
so that one with settings of its own has them when its members come, which is once a topic's route has the new
queues. The first reader of a queue begins at its first message, wherever it was told to begin, while that is in
memory (``ConsumerManageProcessor.queryConsumerOffset``); so nothing is missed that is sent before it comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rmqops.errors import PreflightFailed, UsageError
from rmqops.model.topology import Group, Topology
from rmqops.operations.observe import canary
from rmqops.operations.topics import consumer_group_status as consumer_groups
from rmqops.operations.topics import topics
from rmqops.remoting.client import Client
from rmqops.remoting.group_admin import GroupAdmin
from rmqops.remoting.routes import TopicConfig

Configs = Mapping[str, Mapping[str, object]]
"""Settings of consumer groups, by name, as a broker keeps them."""


@dataclass(frozen=True)
class TopicSpread:
    """What is put on each new group, by the group's name."""

    topics: Mapping[str, tuple[TopicConfig, ...]]
    consumers: Mapping[str, Configs]
    left: Mapping[str, tuple[str, ...]]
    """Topics that stay where they are, since only some of the other groups have them; and which."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return every topic that some new group gets, sorted."""
        return tuple(sorted({one.topic for found in self.topics.values() for one in found}))


async def prepare(
    topology: Topology, client: Client, new: Sequence[Group], wanted: Sequence[str] = ()
) -> TopicSpread:
    """Find out what new groups lack; touches nothing.

    Args:
        topology: The cluster, the new groups among its own.
        client: For the connections.
        new: Those to be filled; what they have already stays as it is.
        wanted: Topics; unless given, those that every other group has.

    Raises:
        UsageError: there is no other group, or none has such a topic.
        PreflightFailed: another group has no master to ask.
        OperationFailed: no NameServer answers.
        RemotingError: a master does not.
    """
    admin = GroupAdmin(client)
    info = await topics.cluster(topology, admin)
    old = [group for group in topology.groups if group not in new]
    if not old:
        raise UsageError(
            f"{topology.cluster} has no other group to take topics from",
            remedy="rmqops deploy, and rmqops topic create",
        )
    held, consumers = {}, {}
    for group in old:
        master = info.master(group.name)
        if master is None:
            raise PreflightFailed(
                f"group {group.name} has no master to ask for its topics; nothing was touched",
                remedy=f"rmqops status --inventory {topology.inventory} says why",
            )
        held[group.name] = await admin.topic_configs(master)
        consumers[group.name] = await admin.subscription_groups(master)
    chosen, left = choose(topology, held, wanted)
    made = _first(consumers)
    found_topics, found_consumers = {}, {}
    for group in new:
        master = info.master(group.name)
        there = await admin.topic_configs(master) if master else {}
        known = await admin.subscription_groups(master) if master else {}
        found_topics[group.name] = tuple(one for one in chosen if one.topic not in there)
        found_consumers[group.name] = {name: config for name, config in made.items() if name not in known}
    return TopicSpread(found_topics, found_consumers, left)


def choose(
    topology: Topology, held: Mapping[str, Mapping[str, TopicConfig]], wanted: Sequence[str]
) -> tuple[tuple[TopicConfig, ...], Mapping[str, tuple[str, ...]]]:
    """Return the topics that new groups get, and those that stay where they are with the groups that have them.

    Args:
        topology: The cluster.
        held: The topics of the other groups, by group and topic.
        wanted: Topics; unless given, those that every other group has.

    Raises:
        UsageError: no group has such a topic.
    """
    holders: dict[str, tuple[str, ...]] = {}
    for group, configs in held.items():
        for topic in configs:
            own = topic == canary.TOPIC or topic.startswith((topics.RETRY_PREFIX, topics.DEAD_PREFIX))
            if not own and not topics.is_system(topic, topology):
                holders[topic] = (*holders.get(topic, ()), group)
    if unknown := sorted(set(wanted) - set(holders)):
        raise UsageError(
            f"no group has a topic {', '.join(unknown)} that could be spread",
            remedy=f"rmqops topic list --inventory {topology.inventory} shows what there is",
        )
    spread = set(wanted) or {topic for topic, groups in holders.items() if len(groups) == len(held)}
    chosen = tuple(held[holders[topic][0]][topic] for topic in sorted(spread))
    return chosen, {topic: groups for topic, groups in sorted(holders.items()) if topic not in spread}


async def fill(topology: Topology, client: Client, new: Sequence[Group], spread: TopicSpread) -> None:
    """Put it there, and return when every member of the new groups and every NameServer knows the topics.

    Raises:
        OperationFailed: not everyone knew them in time; the same once more does the rest.
        RemotingError: a broker does not answer.
    """
    admin = GroupAdmin(client)
    for group in new:
        for member in group.members:
            for name, config in spread.consumers[group.name].items():
                await admin.create_group(member.address, name, config)
        if found := spread.topics[group.name]:
            await topics.put(topology, client, found, [group])


def _first(consumers: Mapping[str, Configs]) -> Configs:
    """Return every consumer group that is not the system's, as the first group of brokers that has it keeps it."""
    found: dict[str, Mapping[str, object]] = {}
    for configs in consumers.values():
        for name, config in configs.items():
            if not consumer_groups.is_system(name):
                found.setdefault(name, config)
    return found

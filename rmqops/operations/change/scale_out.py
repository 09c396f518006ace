"""Give broker groups that are new in a cluster the topics and consumer groups that the others have.

A new group is known to every NameServer as soon as it runs, and yet is in no topic's route: a broker serves the
topics of its own list (``TopicConfigManager``), and nothing brings it another group's. Consumer groups go first,
so that one with settings of its own has them when its members come, which is once a topic's route has the new
queues. The first reader of a queue begins at its first message, wherever it was told to begin, while that is in
memory (``ConsumerManageProcessor.queryConsumerOffset``); so nothing is missed that is sent before it comes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rmqops.errors import PreflightFailed, UsageError
from rmqops.model.topology import Group, Topology
from rmqops.operations.change.deploy import Deploy
from rmqops.operations.change.fleet import Fleet
from rmqops.operations.change.playbook import FORKS
from rmqops.operations.change.progress import Progress
from rmqops.operations.change.recipe import Verb
from rmqops.operations.observe import canary
from rmqops.operations.observe.status import Status
from rmqops.operations.plan.plan import Plan
from rmqops.operations.topics import consumer_group_status, topics
from rmqops.remoting.client import Client
from rmqops.remoting.group_admin import GroupAdmin
from rmqops.remoting.routes import TopicConfig
from rmqops.source.artifacts import Artifact
from rmqops.system import event_loop

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
        return tuple(sorted({config.topic for configs in self.topics.values() for config in configs}))

    def items(self) -> dict[str, list[str]]:
        """Return what each new group gets, a few words each; groups that get nothing are left out."""
        items = {
            name: [
                *(f"topic {config.topic} ({config.write_queues} queues)" for config in configs),
                *(f"consumer group {consumer}" for consumer in sorted(self.consumers[name])),
            ]
            for name, configs in self.topics.items()
        }
        return {name: texts for name, texts in items.items() if texts}


@dataclass(frozen=True)
class ScaleOutPlan:
    """What is done to hosts, and what the new groups get."""

    deployment: Plan
    spread: TopicSpread

    @property
    def steps(self) -> tuple[str, ...]:
        """One for each instance, and one for each group that lacks something."""
        gets = (f"{name} gets {', '.join(texts)}" for name, texts in self.spread.items().items())
        return (*self.deployment.steps, *gets)


@dataclass(frozen=True)
class ScaleOut(Verb[ScaleOutPlan, None]):
    """Deploy new groups, and fill them once they are healthy. Nothing is done to the instances that are there."""

    name = "scale-out"

    fleet: Fleet
    groups: tuple[Group, ...]
    topics: tuple[str, ...]
    """Those to spread; the ones that every other group has unless given."""
    artifact: Artifact
    forks: int = FORKS

    @property
    def _deploy(self) -> Deploy:
        instances = tuple(member for group in self.groups for member in group.members)
        return Deploy(self.fleet, instances, self.artifact, self.forks)

    def plan(self) -> ScaleOutPlan:
        """Ask the other groups for their topics, then the hosts; see :func:`prepare` and :class:`Deploy`."""

        async def ask() -> TopicSpread:
            async with Client() as client:
                return await prepare(self.fleet.topology, client, self.groups, self.topics)

        spread = event_loop.run(ask())
        return ScaleOutPlan(self._deploy.plan(), spread)

    def carry_out(self, plan: ScaleOutPlan, progress: Progress) -> None:
        """Deploy them."""
        self._deploy.carry_out(plan.deployment, progress)

    def gate(self, plan: ScaleOutPlan, progress: Progress) -> Status:
        """Wait for their health."""
        return self._deploy.gate(plan.deployment, progress)

    def canary(self, plan: ScaleOutPlan) -> Collection[str]:
        """Send one to each of them."""
        return self._deploy.canary(plan.deployment)

    def finish(self, plan: ScaleOutPlan, progress: Progress) -> None:
        """Fill them (:func:`fill`)."""
        progress.say("spreading topics and consumer groups")

        async def put() -> None:
            async with Client() as client:
                await fill(self.fleet.topology, client, self.groups, plan.spread)

        event_loop.run(put())


async def prepare(
    topology: Topology, client: Client, new: Sequence[Group], names: Sequence[str] = ()
) -> TopicSpread:
    """Find out what new groups lack; touches nothing.

    Args:
        topology: The cluster, the new groups among its own.
        client: For the connections.
        new: Those to be filled; what they have already stays as it is.
        names: Topics; unless given, those that every other group has.

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
    known_topics, known_groups = {}, {}
    for group in old:
        master = info.master(group.name)
        if master is None:
            raise PreflightFailed(
                f"group {group.name} has no master to ask for its topics; nothing was touched",
                remedy=f"rmqops status --inventory {topology.inventory} says why",
            )
        known_topics[group.name] = await admin.topic_configs(master)
        known_groups[group.name] = await admin.subscription_groups(master)
    chosen, left = choose(topology, known_topics, names)
    made = _first(known_groups)
    lacking_topics, lacking_groups = {}, {}
    for group in new:
        master = info.master(group.name)
        own_topics = await admin.topic_configs(master) if master else {}
        own_groups = await admin.subscription_groups(master) if master else {}
        lacking_topics[group.name] = tuple(config for config in chosen if config.topic not in own_topics)
        lacking_groups[group.name] = {name: config for name, config in made.items() if name not in own_groups}
    return TopicSpread(lacking_topics, lacking_groups, left)


def choose(
    topology: Topology, known: Mapping[str, Mapping[str, TopicConfig]], names: Sequence[str]
) -> tuple[tuple[TopicConfig, ...], Mapping[str, tuple[str, ...]]]:
    """Return the topics that new groups get, and those that stay where they are with the groups that have them.

    Args:
        topology: The cluster.
        known: The topics of the other groups, by group and topic.
        names: Topics; unless given, those that every other group has.

    Raises:
        UsageError: no group has such a topic.
    """
    holders: dict[str, tuple[str, ...]] = {}
    for group, configs in known.items():
        for topic in configs:
            own = topic == canary.TOPIC or topic.startswith((topics.RETRY_PREFIX, topics.DEAD_PREFIX))
            if not own and not topics.is_system(topic, topology):
                holders[topic] = (*holders.get(topic, ()), group)
    if unknown := sorted(set(names) - set(holders)):
        raise UsageError(
            f"no group has a topic {', '.join(unknown)} that could be spread",
            remedy=f"rmqops topic list --inventory {topology.inventory} shows what there is",
        )
    spread = set(names) or {topic for topic, groups in holders.items() if len(groups) == len(known)}
    chosen = tuple(known[holders[topic][0]][topic] for topic in sorted(spread))
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
        if configs := spread.topics[group.name]:
            await topics.put(topology, client, configs, [group])


def _first(consumers: Mapping[str, Configs]) -> Configs:
    """Return every consumer group that is not the system's, as the first group of brokers that has it keeps it."""
    first: dict[str, Mapping[str, object]] = {}
    for configs in consumers.values():
        for name, config in configs.items():
            if not consumer_group_status.is_system(name):
                first.setdefault(name, config)
    return first

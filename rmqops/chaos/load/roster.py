"""Who sends and who receives in a drill, and how they kept to their schedule. PURE."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from rmqops.chaos.history.format import ClientName
from rmqops.chaos.history.run_record import Subscription
from rmqops.chaos.load.clients.settings import ConsumerSettings, ProcessSummary, ProducerSettings, Source
from rmqops.chaos.load.settings import Load
from rmqops.model.topology import Topology
from rmqops.operations.topics import consumer_groups

_UNSAID = "\N{EM DASH}"


def process_settings(
    topology: Topology, load: Load, topics: Sequence[str], epoch: float, *, mortal: bool = False
) -> list[ProducerSettings | ConsumerSettings]:
    """Return the settings of every process; the producers' schedules lie evenly between one another.

    Args:
        topology: The cluster.
        load: How many, how fast, how large.
        topics: The drill's; by turns.
        epoch: What ``t`` counts from.
        mortal: Whether the drill kills producers.
    """
    servers = tuple(server.address for server in topology.nameservers)
    groups = tuple(group.name for group in topology.groups)
    consumers = [
        ConsumerSettings(
            name=name,
            epoch=epoch,
            topic=topic,
            group=group,
            nameservers=servers,
            groups=groups,
            queues=load.queues,
            unelecting=tuple(group.name for group in topology.groups if group.mode == "master-slave"),
            source=_source(load, number),
        )
        for number, (name, topic, group) in enumerate(_memberships(load, topics), 1)
    ]
    producers = [
        ProducerSettings(
            name=str(name),
            prefix=name.key_prefix,
            epoch=epoch,
            topic=topics[(number - 1) % len(topics)],
            nameservers=servers,
            rate=load.rate,
            size=load.size,
            choice=load.choice,
            keys=load.keys,
            in_flight=load.in_flight,
            ahead=mortal,
            lead=number / load.rate / load.producers if load.rate else 0,
        )
        for number, name in enumerate((ClientName("producer", n) for n in range(1, load.producers + 1)), 1)
    ]
    return [*consumers, *producers]


def subscriptions(load: Load, topics: Sequence[str], *, shares: bool) -> dict[str, Subscription]:
    """Return what each consumer reads; ``shares`` tells whether those of a group share its queues."""
    members = _memberships(load, topics)
    return {name: Subscription(topic, group if shares else None) for name, topic, group in members}


def _memberships(load: Load, topics: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each consumer's name, topic and consumer group."""
    group_names = {topic: consumer_groups.names(topic, load.groups) for topic in topics}
    shared = [(topic, group_names[topic][turn]) for turn in range(load.groups) for topic in topics]
    for number, each in zip(range(1, load.consumers + 1), itertools.cycle(shared), strict=False):
        yield str(ClientName("consumer", number)), *each


def _source(load: Load, number: int) -> Source | None:
    """Return whom a consumer reads: the last ones read slaves."""
    if not load.from_slaves:
        return None
    return "slave" if number > load.consumers - load.from_slaves else "master"


def pace(summaries: Sequence[ProcessSummary]) -> dict[str, str]:
    """Say how many sends there were and how late they left, of the worst producer; nothing without any."""
    if not summaries:
        return {}
    late = max(summary.lateness_p99 for summary in summaries)
    worst = max(summary.lateness_max for summary in summaries)
    return {
        "sends": f"{sum(summary.sends for summary in summaries):,}",
        "skipped": f"{sum(summary.skipped for summary in summaries):,}",
        "left late by": f"{late:,.1f} ms (p99) and {worst:,.1f} ms (most)",
    }


def client_words(client: Mapping[str, str]) -> str:
    """Say through which client, with which settings, the load sees the cluster, by what it said of itself."""
    if not client:
        return _UNSAID
    kinds = {"java": "official Java client", "native": "rmqops client"}
    name = kinds.get(client.get("driver", ""), "client")
    rest = ", ".join(f"{key} {value}" for key, value in client.items() if key not in ("driver", "version"))
    return f"{name} {client.get('version', _UNSAID)}: {rest}"

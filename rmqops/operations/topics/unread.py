"""Messages that fewer queues would hide: those in queues whose number is not below the topic's read queues.

They are not lost at once, but a broker refuses to serve them (``PullMessageProcessor``, ``queueId is illegal``)
until the topic has as many queues to read from again, and after ``fileReservedTime`` they are gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rmqops.errors import Unsafe
from rmqops.model.topology import Group, Topology
from rmqops.operations.topics import topics
from rmqops.remoting.client import Client
from rmqops.remoting.group_admin import GroupAdmin
from rmqops.remoting.routes import TopicConfig

_NAMED = 20
"""Queues that a refusal names."""


@dataclass(frozen=True)
class UnreadQueue:
    """A queue that would be hidden, and holds messages that were not read."""

    group: str
    number: int
    messages: int
    """Those that the consumer group which is farthest behind has left; all that there are, if there is none."""
    reader: str | None
    """That consumer group; None if no broker knows of one that reads the topic."""

    def __str__(self) -> str:
        whose = f"that {self.reader} has not read" if self.reader else "that no consumer group has read"
        return f"{self.group} queue {self.number}: {self.messages:,} messages {whose}"


async def refuse_hiding(topology: Topology, client: Client, config: TopicConfig, groups: Sequence[Group]) -> None:
    """Refuse to give a topic fewer queues while those that would go hold messages that were not read.

    Raises:
        Unsafe: they do; names each queue, how many messages, and who has not read them.
        OperationFailed: no NameServer answers.
        RemotingError: a master does not say what it holds.
    """
    found = await unread(topology, client, config, groups)
    if not found:
        return
    total = sum(queue.messages for queue in found)
    raise Unsafe(
        f"{config.topic} would have {config.read_queues} queues to read from, and {total:,} messages in the others"
        " were not read; nothing was changed",
        detail="\n".join([*map(str, found[:_NAMED]), *(["…"] if len(found) > _NAMED else [])]),
        remedy=f"give --queues {config.write_queues} with as many --read-queues as now, wait until consumers have "
        "read the rest (rmqops group describe), and give this command again; or add --hide-unread",
    )


async def unread(
    topology: Topology, client: Client, config: TopicConfig, groups: Sequence[Group]
) -> list[UnreadQueue]:
    """Return the queues that a topic's new number of read queues would hide with messages that were not read."""
    admin = GroupAdmin(client)
    info = await topics.cluster(topology, admin)
    masters = [(group.name, master) for group in groups if (master := info.master(group.name)) is not None]
    found = await asyncio.gather(*(_of_group(admin, name, master, config) for name, master in masters))
    return [queue for queues in found for queue in queues]


async def _of_group(admin: GroupAdmin, group: str, master: str, config: TopicConfig) -> list[UnreadQueue]:
    now = (await admin.topic_configs(master)).get(config.topic)
    hidden = range(config.read_queues, now.read_queues if now else 0)
    spans = [(number, await admin.offsets(master, config.topic, number)) for number in hidden]
    spans = [(number, span) for number, span in spans if span.max > span.min]
    if not spans:
        return []
    read = await _read(admin, master, config.topic)
    queues = []
    for number, span in spans:
        left = {reader: span.max - max(span.min, to.get(number, 0)) for reader, to in read.items()}
        reader, messages = max(left.items(), key=lambda item: item[1], default=(None, span.max - span.min))
        if messages > 0:
            queues.append(UnreadQueue(group, number, messages, reader))
    return queues


async def _read(admin: GroupAdmin, master: str, topic: str) -> dict[str, dict[int, int]]:
    """Return how far each consumer group that reads a topic has come in each queue of a broker."""
    names: Iterable[str] = sorted(await admin.subscription_groups(master))
    read: dict[str, dict[int, int]] = {}
    for name in names:
        for each in await admin.progress(master, name):
            if each.queue.topic == topic:
                read.setdefault(name, {})[each.queue.number] = each.consumed
    return read

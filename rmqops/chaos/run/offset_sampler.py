"""Watch what consumer groups have committed, as every member of every broker group says it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection

from rmqops.chaos.history.run_record import Subscription
from rmqops.chaos.run.sampling import Answer, Sampling
from rmqops.errors import RemotingError
from rmqops.model.history import Event
from rmqops.model.topology import Instance, Topology
from rmqops.remoting.client import Client
from rmqops.remoting.group_admin import GroupAdmin

INTERVAL = 0.25
"""Seconds between two samples of one member."""

_Subject = tuple[str, str]
"""Consumer group and topic."""


class OffsetSampler(Sampling[_Subject]):
    """Asks each member by one request for each consumer group and topic.

    Slaves are asked as well: what one of them has when it becomes master is what consumers begin from.

    Args:
        topology: Whom to ask.
        subscriptions: What the consumers read; those of no group commit nothing, and are not asked about.
        emit: Takes the events of the history.
        now: Seconds since the run's start.
        clients: Opens connections, with the time-outs that it is given.
    """

    def __init__(
        self,
        topology: Topology,
        subscriptions: Collection[Subscription],
        emit: Callable[[Event], None],
        now: Callable[[], float],
        clients: Callable[..., Client] = Client,
    ) -> None:
        self._subjects = sorted({(each.group, each.topic) for each in subscriptions if each.group is not None})
        super().__init__(topology.brokers if self._subjects else (), INTERVAL, emit, now, clients)

    async def answers(self, instance: Instance, client: Client) -> AsyncIterator[tuple[_Subject, Answer]]:
        """Yield the offsets that a member has of each subject, by queue."""
        admin = GroupAdmin(client)
        for group, topic in self._subjects:
            try:
                progress = await admin.progress(instance.address, group, topic)
            except RemotingError as error:
                yield (group, topic), (error.message, None)
            else:
                queues = [each for each in progress if each.queue.topic == topic]
                yield (group, topic), ("", {str(each.queue.number): str(each.consumed) for each in queues})

    def event(self, t: float, instance: Instance, about: _Subject, answer: Answer) -> Event:
        """Return a line of ``committed``."""
        (group, topic), (error, value) = about, answer
        return Event(
            t,
            instance.name,
            "committed",
            "fail" if error else "ok",
            topic=topic,
            broker=instance.group,
            key=group,
            error=error or None,
            address=instance.address,
            value=value,
        )

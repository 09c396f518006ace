"""Send one message to the master of every group and read it back: the last proof of health."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from rmqops.errors import OperationFailed, RemotingError
from rmqops.model.topology import Group, Topology
from rmqops.operations.observe.status import Status
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.consumer import Consumer
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged
from rmqops.remoting.producer import Producer
from rmqops.remoting.routes import WriteQueue
from rmqops.system import event_loop, waiting

TOPIC = "rmqops-canary"
DEADLINE = 30.0
"""Seconds for the topic's route to reach the NameServers and the message to come back."""
PAUSE = 0.1


def send_and_read_back(topology: Topology, status: Status, only: Collection[str] = ()) -> None:
    """Send a message to each group's master and read it back from there.

    Args:
        topology: The cluster.
        status: Its status, healthy: says who is master.
        only: Instances; groups without one of them are left out. None is when empty.

    Raises:
        OperationFailed: a group did not take or return the message; says which and what its master answered.
    """
    event_loop.run(_send_and_read_back(topology, status, only))


async def _send_and_read_back(topology: Topology, status: Status, only: Collection[str]) -> None:
    async with Client() as client:
        for group, group_status in zip(topology.groups, status.groups, strict=True):
            if only and not any(member.name in only for member in group.members):
                continue
            if group_status.master is None:
                raise OperationFailed(f"group {group.name} has no master to send to")
            await _try_group(topology, group, group_status.master, client)


async def _try_group(topology: Topology, group: Group, master: str, client: Client) -> None:
    admin = Admin(client)
    body = uuid.uuid4().hex.encode()
    try:
        if TOPIC not in await admin.topic_configs(master):
            await admin.create_topic(master, TOPIC, queues=1)
        acknowledged = await _send(topology, master, client, body)
        stored = [
            message
            async for message in Consumer(client).drain(
                master,
                TOPIC,
                acknowledged.queue,
                acknowledged.offset + 1,
                begin=acknowledged.offset,
                stall=DEADLINE,
            )
        ]
    except RemotingError as error:
        raise OperationFailed(f"the canary of group {group.name} failed: {error}") from error
    if [message.body for message in stored] != [body]:
        raise OperationFailed(f"the canary of group {group.name} came back as {stored!r}, not as {body!r}")


async def _send(topology: Topology, master: str, client: Client, body: bytes) -> Acknowledged:
    """Send until acknowledged: the route of a new topic takes a moment to reach every NameServer."""
    nameservers = [server.address for server in topology.nameservers]

    def to_master(queues: Sequence[WriteQueue], _message: Message) -> WriteQueue:
        return next((queue for queue in queues if queue.address == master), queues[0])

    acknowledged: list[Acknowledged] = []
    # A short poll interval, because a route that lacks this group yet must be asked for again.
    async with Producer(client, nameservers, choice=to_master, poll_interval=PAUSE) as producer:

        async def send() -> str | None:
            outcome = await producer.send(TOPIC, Message(body))
            if isinstance(outcome, Acknowledged) and outcome.address == master:
                acknowledged.append(outcome)
                return None
            return str(outcome)

        await waiting.until(f"a canary taken by {master}", send, DEADLINE, interval=PAUSE)
    return acknowledged[0]

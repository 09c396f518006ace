"""What the living members of a group hold, and whether they take messages, while the group's master is dead."""

from __future__ import annotations

from collections.abc import Collection

from rmqops.chaos.history.format import MASTER_ROLE, reader_prefix, writer_prefix
from rmqops.chaos.load.clients.settings import body
from rmqops.chaos.run.context import Run
from rmqops.chaos.run.readback import Reader
from rmqops.model.history import Event, Type
from rmqops.model.topology import Group, Instance
from rmqops.remoting.client import Client
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Refused
from rmqops.remoting.producer import Producer
from rmqops.remoting.routes import WriteQueue


async def read_living(run: Run, client: Client, phase: int, dead: Collection[str]) -> None:
    """Read every topic from the living members of each group that has dead ones, and offer each a message.

    Args:
        run: The drill under way.
        client: For the connections.
        phase: The phase's number, which stands in the names of the processes that read and write.
        dead: Names of the instances that are dead.
    """
    for group in run.topology.groups:
        fallen = [member for member in group.members if member.name in dead]
        living = [member for member in group.members if member.name not in dead]
        for topic in run.topics if fallen else ():
            await _read(run, client, phase, topic, group, fallen[0], living)
            for member in living:
                await _offer(run, client, phase, topic, member)


async def _read(
    run: Run, client: Client, phase: int, topic: str, group: Group, dead: Instance, living: list[Instance]
) -> None:
    """Read one topic from every living member, each to its own end."""
    reader = Reader(
        run.topology,
        client,
        topic,
        run.drill.load.queues,
        emit=run.recorder.event,
        now=run.now,
        prefix=reader_prefix(phase),
        value={MASTER_ROLE: dead.text("rocketmq_broker_role")},
    )
    answer = await reader.read_each(living)
    for failure in answer.failures:
        run.say(failure)
    names = ", ".join(member.name for member in living)
    run.say(f"read {answer.messages} messages from {names}, while {dead.name} is dead")


async def _offer(run: Run, client: Client, phase: int, topic: str, member: Instance) -> None:
    """Offer a message to a member that is no master, and put on record what it says."""
    name = f"{writer_prefix(phase)}{member.name}"
    key = f"{name}-{topic}"
    target = WriteQueue(str(member.group), 0, member.address)
    servers = [server.address for server in run.topology.nameservers]
    async with Producer(client, servers, choice=lambda *_: target) as producer:
        outcome = await producer.send(topic, Message(body(key, run.drill.load.size), key))
    kind: Type = "ok"
    reason = None
    if not isinstance(outcome, Acknowledged):
        # Only a broker's own word is a refusal; one that cannot be reached has said nothing.
        refused = isinstance(outcome, Refused) and outcome.code is not None
        kind, reason = "fail" if refused else "info", outcome.reason
    run.recorder.event(
        Event(
            run.now(), name, "probe", kind, topic, member.group, 0,
            key=key, error=reason, address=member.address,
        )
    )  # fmt: skip
    run.say(f"offered a message to {member.name}: {reason or 'it was taken'}")

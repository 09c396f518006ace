"""Consumer groups, asked of a broker that answers as RocketMQ does."""

from __future__ import annotations

import asyncio
import json

import pytest

from rmqops.errors import BrokerError
from rmqops.remoting.client import Client
from rmqops.remoting.codec import Frame
from rmqops.remoting.codes import RequestCode, ResponseCode
from rmqops.remoting.consumers import ConsumeProgress, Queue
from rmqops.remoting.group_admin import GroupAdmin
from tests.unit.remoting.peer import Answer, peer, reply
from tests.unit.remoting.test_consumers import CONNECTED, RUNNING, STATS


class Broker:
    """Keeps the configuration of groups; the group ``g`` has members and ``idle`` has none."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, object]] = {}

    def answer(self, request: Frame) -> Answer:
        code, group = request.code, request.fields.get("consumerGroup", "")
        if code == RequestCode.UPDATE_AND_CREATE_SUBSCRIPTION_GROUP:
            config = json.loads(request.body)
            self.groups[config["groupName"]] = config
            return reply(request)
        if code == RequestCode.DELETE_SUBSCRIPTION_GROUP:
            self.groups.pop(request.fields["groupName"], None)
            return reply(request)
        if code == RequestCode.GET_ALL_SUBSCRIPTION_GROUPS:
            return reply(request, body=json.dumps({"subscriptionGroupTable": self.groups}).encode())
        if group != "g":
            return reply(request, ResponseCode.CONSUMER_NOT_ONLINE, remark="the consumer group is not online")
        bodies: dict[int, bytes] = {
            RequestCode.GET_CONSUMER_CONNECTIONS: CONNECTED,
            RequestCode.GET_CONSUME_STATS: STATS,
            RequestCode.GET_CONSUMER_RUNNING_INFO: RUNNING,
        }
        return reply(request, body=bodies[code])


def test_a_group_is_made_changed_and_removed() -> None:
    broker = Broker()

    async def scenario() -> None:
        async with peer(broker.answer) as running, Client() as client:
            admin = GroupAdmin(client)
            await admin.create_group(running.address, "g")
            await admin.create_group(running.address, "g", {"groupName": "other", "retryMaxTimes": 3})
            assert await admin.subscription_groups(running.address) == {
                "g": {"groupName": "g", "retryMaxTimes": 3}
            }
            await admin.delete_group(running.address, "g")
            await admin.delete_group(running.address, "g")
            assert await admin.subscription_groups(running.address) == {}

    asyncio.run(scenario())


def test_members_progress_and_queues_of_a_group() -> None:
    async def scenario() -> None:
        async with peer(Broker().answer) as running, Client() as client:
            admin = GroupAdmin(client)
            connected = await admin.connected_consumers(running.address, "g")
            assert connected is not None
            assert [member.client_id for member in connected.members] == ["h@1"]
            progress = await admin.progress(running.address, "g")
            assert progress[0] == ConsumeProgress(Queue("t", "a", 0), 3, 5, 0)
            assert await admin.held_queues(running.address, "g", "h@1") == [Queue("t", "a", 0), Queue("t", "b", 1)]
            assert running.requests[-1].fields["clientId"] == "h@1"

    asyncio.run(scenario())


def test_a_group_without_members_has_no_connections_and_no_queues() -> None:
    async def scenario() -> None:
        async with peer(Broker().answer) as running, Client() as client:
            admin = GroupAdmin(client)
            assert await admin.connected_consumers(running.address, "idle") is None
            with pytest.raises(BrokerError) as caught:
                await admin.held_queues(running.address, "idle", "h@1")
            assert caught.value.code == ResponseCode.CONSUMER_NOT_ONLINE

    asyncio.run(scenario())

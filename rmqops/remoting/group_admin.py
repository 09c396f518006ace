"""Ask brokers about the consumer groups that they know, and make and remove them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rmqops.errors import BrokerError
from rmqops.remoting import consumers
from rmqops.remoting.admin import Admin
from rmqops.remoting.codes import RequestCode, ResponseCode
from rmqops.remoting.consumers import ConnectedConsumers, ConsumeProgress, Queue


class GroupAdmin(Admin):
    """An :class:`~rmqops.remoting.admin.Admin` that asks about consumer groups as well."""

    async def subscription_groups(self, broker: str) -> Mapping[str, Mapping[str, object]]:
        """Return the configuration of every consumer group that a broker keeps, those of the system among them."""
        answer = await self._call(broker, RequestCode.GET_ALL_SUBSCRIPTION_GROUPS)
        return consumers.parse_groups(answer.body)

    async def create_group(self, broker: str, group: str, config: Mapping[str, object] | None = None) -> None:
        """Make a consumer group, or change it.

        Args:
            broker: The broker's address.
            group: The group's name.
            config: As another broker keeps it; what is left out is as ``SubscriptionGroupConfig`` has it.
        """
        code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTION_GROUP
        body = json.dumps({**(config or {}), "groupName": group}).encode()
        await self._client.call(broker, code, body=body, timeout=self._timeout)

    async def delete_group(self, broker: str, group: str) -> None:
        """Remove a consumer group's configuration; one that the broker does not know is no error."""
        await self._call(broker, RequestCode.DELETE_SUBSCRIPTION_GROUP, {"groupName": group})

    async def connected_consumers(self, broker: str, group: str) -> ConnectedConsumers | None:
        """Return the members of a consumer group that are connected to a broker, or None if there are none."""
        try:
            answer = await self._call(broker, RequestCode.GET_CONSUMER_CONNECTIONS, {"consumerGroup": group})
        except BrokerError as error:
            if error.code == ResponseCode.CONSUMER_NOT_ONLINE:
                return None
            raise
        return consumers.parse_connected(answer.body)

    async def progress(self, broker: str, group: str, topic: str | None = None) -> Sequence[ConsumeProgress]:
        """Return how far a consumer group has come in every queue of a broker that it has consumed from.

        Args:
            broker: The broker's address; a slave says what it last took over from its master.
            group: The consumer group.
            topic: All queues of this topic instead, 0 where nothing is committed.
        """
        fields = {"consumerGroup": group, **({"topic": topic} if topic else {})}
        answer = await self._call(broker, RequestCode.GET_CONSUME_STATS, fields)
        return consumers.parse_progress(answer.body)

    async def held_queues(self, broker: str, group: str, client_id: str) -> Sequence[Queue]:
        """Return the queues that one member holds now; the broker asks it over the member's own connection.

        Raises:
            BrokerError: the member is not connected to this broker, or is of a kind that does not say.
        """
        fields = {"consumerGroup": group, "clientId": client_id, "jstackEnable": "false"}
        answer = await self._call(broker, RequestCode.GET_CONSUMER_RUNNING_INFO, fields)
        return consumers.parse_held_queues(answer.body)

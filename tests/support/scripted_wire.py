"""RocketMQ's protocol as a scripted cluster speaks it; see :mod:`tests.support.scripted_cluster`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rmqops.errors import ConnectFailed, ConnectionLost
from rmqops.model.topology import Group, Instance
from rmqops.remoting.client import Client
from rmqops.remoting.codec import Decoder, Frame
from rmqops.remoting.codes import RequestCode, ResponseCode
from rmqops.remoting.connection import Connection
from tests.support.scripted_load import LATENCY
from tests.unit.remoting.peer import reply
from tests.unit.remoting.stored import stored

if TYPE_CHECKING:
    from tests.support.scripted_cluster import ScriptedCluster

PULL_LIMIT = 32
VERSION = "V4_5_2"


class ScriptedClient(Client):
    """Connections to scripted clusters."""

    def __init__(self, of: Callable[[str], ScriptedCluster], **timeouts: float) -> None:
        super().__init__(**timeouts)
        self._of = of

    async def connection(self, address: str) -> Connection:
        """Return a connection to an instance that runs.

        Raises:
            ConnectFailed: it does not run.
        """
        self._of(address).listening(address)
        return _ScriptedConnection(address, self._of(address))


class _ScriptedConnection(Connection):
    def __init__(self, address: str, cluster: ScriptedCluster) -> None:
        super().__init__(address, asyncio.get_running_loop())
        self._answers = _Answers(cluster)

    async def exchange(self, opaque: int, frame: bytes, code: int, *, timeout: float) -> Frame:
        (request,) = Decoder().feed(frame)
        await asyncio.sleep(LATENCY)
        try:
            return self._answers.answer(self.address, request)
        except ConnectFailed as error:
            raise ConnectionLost(error.message) from error


class _Answers:
    """What the instances of a cluster answer, request by request."""

    def __init__(self, cluster: ScriptedCluster) -> None:
        self._cluster = cluster
        self._by_code: Mapping[int, Callable[[Instance, Frame], Frame]] = {
            RequestCode.GET_BROKER_CLUSTER_INFO: self._cluster_info,
            RequestCode.GET_BROKER_RUNTIME_INFO: self._runtime,
            RequestCode.UPDATE_AND_CREATE_TOPIC: self._create_topic,
            RequestCode.GET_ALL_TOPIC_CONFIG: self._topic_configs,
            RequestCode.GET_ROUTE_BY_TOPIC: self._route,
            RequestCode.DELETE_TOPIC_IN_BROKER: self._delete_topic,
            RequestCode.DELETE_TOPIC_IN_NAMESRV: self._delete_topic,
            RequestCode.GET_ALL_SUBSCRIPTION_GROUPS: self._consumer_groups,
            RequestCode.UPDATE_AND_CREATE_SUBSCRIPTION_GROUP: self._create_group,
            RequestCode.DELETE_SUBSCRIPTION_GROUP: self._delete_group,
            RequestCode.GET_CONSUME_STATS: self._consume_stats,
            RequestCode.GET_MAX_OFFSET: self._max_offset,
            RequestCode.PULL_MESSAGE: self._pull,
            RequestCode.SEND_MESSAGE_V2: self._take,
        }

    def answer(self, address: str, request: Frame) -> Frame:
        """Answer a request of RocketMQ's protocol.

        Raises:
            ConnectFailed: nobody listens at the address.
        """
        self._cluster.catch_up()
        instance = self._cluster.listening(address)
        self._cluster.asked(instance, request)
        return self._by_code[request.code](instance, request)

    def _cluster_info(self, _server: Instance, request: Frame) -> Frame:
        table = {group.name: self._registered(group) for group in self._cluster.topology.groups}
        return _json(request, {"brokerAddrTable": table, "clusterAddrTable": {}})

    def _registered(self, group: Group) -> dict[str, object]:
        """Return a group as a NameServer tells it: the members that run, the master as number 0."""
        master = self._cluster.masters[group.name]
        addresses = {
            "0" if member == master else str(number): member.address
            for number, member in enumerate(group.members, 1)
            if member.name not in self._cluster.dead
        }
        return {"brokerName": group.name, "cluster": self._cluster.topology.cluster, "brokerAddrs": addresses}

    def _runtime(self, broker: Instance, request: Frame) -> Frame:
        logs = list(self._cluster.queues.items())
        end = sum(len(bodies) for (group, _, _), bodies in logs if group == broker.group)
        table = {
            "brokerVersionDesc": VERSION,
            "commitLogMinOffset": "0",
            "commitLogMaxOffset": str(end),
            "dispatchBehindBytes": "0",
        }
        return _json(request, {"table": table})

    def _create_topic(self, broker: Instance, request: Frame) -> Frame:
        """Make a topic on a broker, which registers it with every NameServer."""
        for instance in (broker, *self._cluster.topology.nameservers):
            self._cluster.topics[instance.name][request.fields["topic"]] = int(request.fields["writeQueueNums"])
        return reply(request)

    def _topic_configs(self, broker: Instance, request: Frame) -> Frame:
        topics = self._cluster.topics[broker.name].items()
        configs = {topic: {"topicName": topic, **_shape(queues)} for topic, queues in topics}
        return _json(request, {"topicConfigTable": configs})

    def _route(self, server: Instance, request: Frame) -> Frame:
        topic = request.fields["topic"]
        queues = self._cluster.topics[server.name].get(topic)
        if queues is None:
            return reply(request, ResponseCode.TOPIC_NOT_EXIST, remark=f"no topic {topic}")
        groups = self._cluster.topology.groups
        route = {
            "queueDatas": [{"brokerName": group.name, **_shape(queues)} for group in groups],
            "brokerDatas": [self._registered(group) for group in groups],
        }
        return _json(request, route)

    def _delete_topic(self, instance: Instance, request: Frame) -> Frame:
        self._cluster.topics[instance.name].pop(request.fields["topic"], None)
        return reply(request)

    def _consumer_groups(self, broker: Instance, request: Frame) -> Frame:
        names = self._cluster.consumer_groups[broker.name]
        return _json(request, {"subscriptionGroupTable": {name: {"groupName": name} for name in names}})

    def _create_group(self, broker: Instance, request: Frame) -> Frame:
        self._cluster.consumer_groups[broker.name].add(json.loads(request.body)["groupName"])
        return reply(request)

    def _delete_group(self, broker: Instance, request: Frame) -> Frame:
        self._cluster.consumer_groups[broker.name].discard(request.fields["groupName"])
        return reply(request)

    def _consume_stats(self, member: Instance, request: Frame) -> Frame:
        """Say what was committed, as fastjson writes a map whose keys are queues."""
        topic = request.fields["topic"]
        queues = range(self._cluster.topics[member.name].get(topic, 0))
        known = self._cluster.committed.get((member.name, request.fields["consumerGroup"]), {})
        table = ",".join(
            f'{{"brokerName":"{member.group}","queueId":{queue},"topic":"{topic}"}}:'
            f'{{"brokerOffset":99,"consumerOffset":{known.get(queue, 0)},"lastTimestamp":0}}'
            for queue in queues
        )
        return reply(request, body=f'{{"consumeTps":0.0,"offsetTable":{{{table}}}}}'.encode())

    def _max_offset(self, member: Instance, request: Frame) -> Frame:
        end = len(self._cluster.log(member, request.fields["topic"], int(request.fields["queueId"])))
        return reply(request, offset=end)

    def _pull(self, member: Instance, request: Frame) -> Frame:
        fields = request.fields
        topic, queue, begin = fields["topic"], int(fields["queueId"]), int(fields["queueOffset"])
        bodies = self._cluster.log(member, topic, queue)
        batch = bodies[begin : begin + PULL_LIMIT]
        content = b"".join(
            stored(body, topic=topic, queue=queue, offset=offset) for offset, body in enumerate(batch, begin)
        )
        return reply(
            request,
            ResponseCode.SUCCESS if batch else ResponseCode.PULL_NOT_FOUND,
            content,
            nextBeginOffset=begin + len(batch),
            minOffset=0,
            maxOffset=len(bodies),
            suggestWhichBrokerId=0,
        )

    def _take(self, member: Instance, request: Frame) -> Frame:
        """Take a message that the drill itself offers; the field ``b`` is the topic, ``e`` the queue."""
        if member not in self._cluster.masters.values():
            return reply(request, ResponseCode.NO_PERMISSION, remark="the broker is not master")
        topic, queue = request.fields["b"], int(request.fields["e"])
        offset = self._cluster.append(str(member.group), topic, queue, request.body)
        return reply(request, msgId="0" * 32, queueId=queue, queueOffset=offset)


def _json(request: Frame, document: object) -> Frame:
    return reply(request, body=json.dumps(document).encode())


def _shape(queues: int) -> dict[str, int]:
    return {"readQueueNums": queues, "writeQueueNums": queues, "perm": 6}

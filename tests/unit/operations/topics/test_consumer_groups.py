"""The consumer groups of a drill are on every member while it runs, and on none afterwards."""

from __future__ import annotations

from collections.abc import Callable

from rmqops.operations.topics import consumer_groups
from rmqops.remoting.client import Client
from tests.support.clusters import dledger_inventory
from tests.support.scripted_fleet import ScriptedFleet

TOPIC = "rmqops-drill-1"


def test_the_first_is_called_as_the_topic() -> None:
    assert consumer_groups.names(TOPIC, 3) == (TOPIC, f"{TOPIC}_g2", f"{TOPIC}_g3")


async def test_they_are_made_masters_first_and_removed_with_their_retry_topics(
    new_fleet: Callable[..., ScriptedFleet],
) -> None:
    scripted = new_fleet(dledger_inventory, "4.5.2")
    scripted.deploy()
    brokers = [scripted.instances[broker.name] for broker in scripted.topology.brokers]
    kept: dict[str, object] = {"groupName": "billing"}
    for broker in brokers:
        broker.groups["billing"] = kept
        broker.topics[f"%RETRY%{TOPIC}_g2"] = {"perm": 6, "readQueueNums": 1, "writeQueueNums": 1}
    async with Client() as client:
        for name in consumer_groups.names(TOPIC, 2):
            await consumer_groups.create(scripted.topology, client, name)
        assert all(set(broker.groups) == {"billing", TOPIC, f"{TOPIC}_g2"} for broker in brokers)
        await consumer_groups.delete(scripted.topology, client, TOPIC)
    assert all(broker.groups == {"billing": kept} for broker in brokers)
    assert all(broker.topics == {} for broker in brokers)

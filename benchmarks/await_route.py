"""Poll the NameServers of an inventory every 50 ms until each has every broker and a master."""

from __future__ import annotations

import asyncio
import sys
import time

from rmqops.errors import RemotingError
from rmqops.model.topology import Topology
from rmqops.operations import inventories
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client

DEADLINE = 120.0


async def complete(topology: Topology, admin: Admin) -> bool:
    """Tell whether every NameServer has every broker, one of them as the master."""
    expected = {broker.address for broker in topology.brokers}
    for server in topology.nameservers:
        try:
            groups = (await admin.cluster_info(server.address)).groups.values()
        except RemotingError:
            return False
        known = {address for group in groups for address in group.addresses.values()}
        if known != expected or not all(group.master for group in groups):
            return False
    return True


async def main() -> None:
    """Poll until the route is complete."""
    topology = inventories.load(sys.argv[1]).topology
    end = time.monotonic() + DEADLINE
    async with Client() as client:
        while not await complete(topology, Admin(client)):
            if time.monotonic() > end:
                sys.exit("the route is not complete")
            await asyncio.sleep(0.05)


asyncio.run(main())

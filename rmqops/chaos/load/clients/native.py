"""The entry of a process of the load: ``python -m rmqops.chaos.load.clients.native SETTINGS SILENCE [MARK]``."""

from __future__ import annotations

import asyncio
import sys

from rmqops.chaos.load.clients.consumer import consume
from rmqops.chaos.load.clients.outlet import Outlet, orders
from rmqops.chaos.load.clients.producer import produce
from rmqops.chaos.load.clients.settings import ConsumerSettings, ProducerSettings, read


async def work(settings: ProducerSettings | ConsumerSettings, silence: int) -> None:
    """Do what the settings say until told to stop; see :func:`rmqops.chaos.load.clients.outlet.orders`."""
    outlet = Outlet(settings.epoch)
    stop = asyncio.Event()
    orders(stop, silence)
    if isinstance(settings, ProducerSettings):
        summary = await produce(settings, outlet, stop)
    else:
        summary = await consume(settings, outlet, stop)
    outlet.finish(summary)


if __name__ == "__main__":
    asyncio.run(work(read(sys.argv[1]), int(sys.argv[2])))

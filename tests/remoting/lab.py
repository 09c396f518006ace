"""Real NameServers and brokers for the tests of the wire client, started without the rest of rmqops."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from rmqops.errors import RemotingError
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.routes import level

_PORTS = itertools.count(21000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) * 300, 30)

_OPENS = ("java.base/java.nio", "java.base/sun.nio.ch", "java.base/jdk.internal.ref", "java.base/java.lang")

NAMESRV_MAIN = "org.apache.rocketmq.namesrv.NamesrvStartup"
BROKER_MAIN = "org.apache.rocketmq.broker.BrokerStartup"


@dataclass
class Jvm:
    """One NameServer or broker, started anew as often as wanted."""

    distribution: Path
    main: str
    config: Path
    address: str
    heap: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        home = self.config.parent
        opens = [f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS]
        argv = ["java", f"-Xms{self.heap}m", f"-Xmx{self.heap}m", "-XX:MaxDirectMemorySize=512m", "-Xshare:auto"]
        argv += [*opens, f"-Duser.home={home}", "-cp", f"{self.distribution}/conf:{self.distribution}/lib/*"]
        argv += [self.main, "-c", str(self.config)]
        with (home / "stdout.log").open("ab") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, env={**os.environ, "ROCKETMQ_HOME": str(self.distribution)}
            )

    def send_signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None


@dataclass
class Lab:
    """A running cluster."""

    nameserver: str
    cluster: str
    brokers: dict[str, Jvm]
    """By address."""
    distribution: Path
    namesrv: Jvm
    _topics: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def stop(self) -> None:
        for broker in self.brokers.values():
            broker.stop()
        self.namesrv.stop()

    async def topic(self, client: Client, name: str = "", queues: int = 4) -> str:
        """Create a topic of this test's own on every member; wait until the route and every member have it.

        A slave takes over its master's topics every 10 s (``BrokerController.handleSlaveSynchronize``). One that
        becomes master before that does not know the topic: it answers sends and pulls with 17. So slaves are told
        as well, once their masters have it, and so is a master that was elected meanwhile.
        """
        topic = name or f"topic-{next(self._topics)}"
        admin = Admin(client)

        async def routed() -> bool:
            groups = (await admin.cluster_info(self.nameserver)).groups
            masters = {group.master for group in groups.values()}
            lacking = [broker for broker in self.brokers if topic not in await admin.topic_configs(broker)]
            for broker in [broker for broker in lacking if broker in masters] or lacking:
                await admin.create_topic(broker, topic, queues=queues)
            route = await admin.route(self.nameserver, topic)
            return not lacking and None not in masters and route is not None and len(route.queues) == len(groups)

        await wait_until(routed, 90, f"{topic} in the route and on every member")
        return topic


async def wait_until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    """Wait until an asynchronous condition holds; fail with the last error after a deadline."""
    last: object = "false"
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while loop.time() < deadline:
        try:
            if await condition():
                return
            last = "false"
        except RemotingError as error:
            last = error
        await asyncio.sleep(0.05)
    pytest.fail(f"{what}: not within {seconds} s; last: {last}")


def start_lab(
    distribution: Path,
    directory: Path,
    *,
    members: int = 1,
    groups: int = 1,
    mode: Literal["dledger", "master-slave"] = "dledger",
    extra: str = "",
    of_group: Mapping[int, str] | None = None,
) -> Lab:
    """Start one NameServer and ``groups`` groups of ``members`` brokers: plain if 1, else of the mode.

    ``extra`` is added to every broker's file, ``of_group`` to those of a group by its number.
    """
    port = next(_PORTS)
    nameserver = f"127.0.0.1:{port}"
    namesrv = _jvm(distribution, directory / "namesrv", NAMESRV_MAIN, nameserver, 128, f"listenPort={port}\n")
    namesrv.start()
    brokers = {}
    for group in range(groups):
        peers = ";".join(f"n{n}-127.0.0.1:{port + 20 + group * 3 + n}" for n in range(members))
        for n in range(members):
            listen = port + 3 + (group * members + n) * 4
            home = directory / f"broker-{group}-{n}"
            config = (
                f"brokerClusterName=Test\nbrokerName=group-{group}\nnamesrvAddr={nameserver}\nbrokerIP1=127.0.0.1\n"
                f"listenPort={listen}\nstorePathRootDir={home}/store\nstorePathCommitLog={home}/store/commitlog\n"
                f"mapedFileSizeCommitLog=67108864\nmappedFileSizeCommitLog=67108864\n"
                f"sendMessageThreadPoolNums=16\nregisterNameServerPeriod=10000\nautoCreateTopicEnable=false\n{extra}"
                f"{(of_group or {}).get(group, '')}"
            )
            if members > 1 and mode == "master-slave":
                role = "SLAVE" if n else "ASYNC_MASTER"
                config += f"brokerIP2=127.0.0.1\nbrokerRole={role}\nbrokerId={n}\n"
            elif members > 1:
                config += (
                    f"enableDLegerCommitLog=true\ndLegerGroup=group-{group}\ndLegerPeers={peers}\n"
                    f"dLegerSelfId=n{n}\nbrokerRole=SLAVE\nbrokerId={n + 1}\n"
                )
            broker = _jvm(distribution, home, BROKER_MAIN, f"127.0.0.1:{listen}", 512, config)
            broker.start()
            brokers[broker.address] = broker
    return Lab(nameserver, "Test", brokers, distribution, namesrv)


async def dispatched(client: Client, broker: str) -> None:
    """Wait until the queues of a broker show all of its log: an acknowledgement does not wait for that."""
    admin = Admin(client)

    async def level_with_itself() -> bool:
        return level({broker: await admin.runtime_info(broker)})

    await wait_until(level_with_itself, 30, f"the log of {broker} dispatched")


async def healthy(lab: Lab) -> None:
    """Wait until every broker is registered and every group has a master."""
    async with Client() as client:

        async def complete() -> bool:
            info = await Admin(client).cluster_info(lab.nameserver)
            found = {address for group in info.groups.values() for address in group.addresses.values()}
            return found == set(lab.brokers) and all(group.master for group in info.groups.values())

        await wait_until(complete, 180, "every broker registered")


def _jvm(distribution: Path, home: Path, main: str, address: str, heap: int, config: str) -> Jvm:
    home.mkdir(parents=True)
    path = home / "config.properties"
    path.write_text(config)
    return Jvm(distribution, main, path, address, heap)


@contextmanager
def running_lab(distribution: Path, directory: Path, **options: Any) -> Iterator[Lab]:
    """Start a lab as :func:`start_lab` does, wait until it is healthy, and stop it when the block ends."""
    lab = start_lab(distribution, directory, **options)
    try:
        asyncio.run(healthy(lab))
        yield lab
    finally:
        lab.stop()

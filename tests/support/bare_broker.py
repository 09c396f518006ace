"""One NameServer and one broker from a distribution, without the rest of rmqops: what a release does by itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from tests.support.clusters import free_port_base
from tests.support.waiting import until_async

_OPENS = ("java.base/java.nio", "java.base/sun.nio.ch", "java.base/jdk.internal.ref", "java.base/java.lang")
_NAMESRV = "org.apache.rocketmq.namesrv.NamesrvStartup"
_BROKER = "org.apache.rocketmq.broker.BrokerStartup"


@dataclass
class Jvm:
    """One of the two."""

    config: Path
    address: str
    process: subprocess.Popen[bytes]


@dataclass
class Lab:
    """The two."""

    nameserver: str
    brokers: dict[str, Jvm]
    """By address; none where there is only a NameServer."""
    namesrv: Jvm


@contextmanager
def running_lab(distribution: Path, directory: Path, *, extra: str = "", groups: int = 1) -> Iterator[Lab]:
    """Run both, the broker's file with ``extra`` lines, from when it is registered until the block ends.

    Without ``groups`` the NameServer is alone.
    """
    port = free_port_base()
    nameserver, broker = f"127.0.0.1:{port}", f"127.0.0.1:{port + 3}"
    home = directory / "broker"
    settings = (
        f"brokerClusterName=Test\nbrokerName=group-0\nnamesrvAddr={nameserver}\nbrokerIP1=127.0.0.1\n"
        f"listenPort={port + 3}\nstorePathRootDir={home}/store\nstorePathCommitLog={home}/store/commitlog\n"
        f"mapedFileSizeCommitLog=67108864\nmappedFileSizeCommitLog=67108864\n"
        f"sendMessageThreadPoolNums=16\nregisterNameServerPeriod=10000\nautoCreateTopicEnable=false\n{extra}"
    )
    started: list[Jvm] = []
    try:
        started.append(_start(distribution, directory / "namesrv", _NAMESRV, nameserver, f"listenPort={port}\n"))
        started += [_start(distribution, home, _BROKER, broker, settings) for _ in range(groups)]
        brokers = {jvm.address: jvm for jvm in started[1:]}
        asyncio.run(_registered(nameserver, set(brokers)))
        yield Lab(nameserver, brokers, started[0])
    finally:
        for jvm in started:
            jvm.process.kill()
            jvm.process.wait(10)


def _start(distribution: Path, home: Path, main: str, address: str, settings: str) -> Jvm:
    home.mkdir(parents=True)
    config = home / "config.properties"
    config.write_text(settings)
    opens = [f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS]
    argv = ["java", "-Xms256m", "-Xmx256m", "-XX:MaxDirectMemorySize=512m", "-XX:TieredStopAtLevel=1", *opens]
    argv += [f"-Duser.home={home}", "-cp", f"{distribution}/conf:{distribution}/lib/*", main, "-c", str(config)]
    with (home / "stdout.log").open("ab") as log:
        process = subprocess.Popen(
            argv, stdout=log, stderr=log, env={**os.environ, "ROCKETMQ_HOME": str(distribution)}
        )
    return Jvm(config, address, process)


async def _registered(nameserver: str, brokers: set[str]) -> None:
    async with Client() as client:

        async def complete() -> bool:
            groups = (await Admin(client).cluster_info(nameserver)).groups.values()
            return {address for group in groups for address in group.addresses.values()} == brokers

        await until_async(complete, "the broker registered", 180)

"""Compare our producer's throughput with that of RocketMQ's own ``benchmark Producer``.

    python benchmarks/producer_throughput.py --namesrv 127.0.0.1:9876 --distribution DIR

Both run as a process of their own, in turn, several rounds, against the same topic of the same cluster, with the
same number of messages in flight and the same bodies. What is counted is the same for both, too: by how much the
topic's queues grew between two instants after the warm-up. The last lines are the medians and their ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.remoting.messages import Message
from rmqops.remoting.producer import Producer
from rmqops.remoting.routes import write_queues

TARGET = 0.9
OFFICIAL = "org.apache.rocketmq.example.benchmark.Producer"


@dataclass(frozen=True)
class Round:
    """What one process did in its measured seconds."""

    rate: float
    """Messages a second that the queues grew by."""
    cpu: float
    """Seconds of processor time of the client's process for each second."""


def main() -> int:
    """Run the comparison, or, as a child, one producer."""
    arguments = _arguments()
    if arguments.produce:
        asyncio.run(_produce(arguments))
        return 0
    return asyncio.run(_compare(arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--namesrv", required=True, help="a NameServer, HOST:PORT")
    parser.add_argument("--distribution", type=Path, help="a built RocketMQ, the directory with lib")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--size", type=int, default=128, help="bytes of a body; both round up to tens")
    parser.add_argument("--queues", type=int, default=16, help="of the topic, in each group")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=float, default=8.0, help="seconds")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured in each round")
    parser.add_argument("--topic", default="throughput")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--produce", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


async def _produce(arguments: argparse.Namespace) -> None:
    body = b"hello baby" * -(-arguments.size // 10)
    outcomes: Counter[str] = Counter()
    async with Client() as client, Producer(client, arguments.namesrv) as producer:

        async def send_on() -> None:
            while True:
                outcome = await producer.send(arguments.topic, Message(body))
                outcomes[type(outcome).__name__] += 1

        senders = [asyncio.create_task(send_on()) for _ in range(arguments.in_flight)]
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    print(json.dumps(outcomes))


async def _compare(arguments: argparse.Namespace) -> int:
    if arguments.distribution is None:
        sys.exit("--distribution is needed")
    rounds: dict[str, list[Round]] = {"official": [], "rmqops": []}
    async with Client(request_timeout=10.0) as client:
        admin = Admin(client)
        for group in (await admin.cluster_info(arguments.namesrv)).groups.values():
            if group.master is None:
                sys.exit(f"{group.name} has no master")
            await admin.create_topic(group.master, arguments.topic, queues=arguments.queues)
        await _routed(admin, arguments)
        with tempfile.TemporaryDirectory() as home:
            commands = {"official": _official(arguments, home), "rmqops": _ours()}
            for number in range(arguments.rounds):
                names = list(commands) if number % 2 == 0 else list(reversed(commands))
                for name in names:
                    measured = await _measure(admin, arguments, commands[name])
                    rounds[name].append(measured)
                    text = f"round {number + 1} {name:8} {measured.rate:8.0f}/s  CPU {measured.cpu:.2f} s/s"
                    print(text, file=sys.stderr)
    return _report(arguments, rounds)


def _report(arguments: argparse.Namespace, rounds: dict[str, list[Round]]) -> int:
    rates = {name: statistics.median(each.rate for each in measured) for name, measured in rounds.items()}
    cpu = {name: statistics.median(each.cpu for each in measured) for name, measured in rounds.items()}
    ratio = rates["rmqops"] / rates["official"]
    if arguments.json:
        print(json.dumps({"rates": rates, "cpu": cpu, "ratio": ratio, "target": TARGET}))
    else:
        for name, rate in rates.items():
            each = cpu[name] / rate * 1e6
            print(f"{name:8} {rate:8.0f}/s  CPU {cpu[name]:.2f} s/s, {each:.0f} µs a message  (medians)")
        print(f"ratio    {ratio:8.2f}  target {TARGET}")
    return 0 if ratio >= TARGET else 1


def _ours() -> list[str]:
    return [sys.executable, *sys.argv, "--produce"]


def _official(arguments: argparse.Namespace, home: str) -> list[str]:
    libraries = f"{arguments.distribution}/conf:{arguments.distribution}/lib/*"
    # --add-opens is for JDK 9 and later; the flag before it makes JDK 8 pass over it.
    java = [
        "java",
        "-Xms512m",
        "-Xmx512m",
        "-XX:+IgnoreUnrecognizedVMOptions",
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
    ]
    java += [f"-Duser.home={home}", "-cp", libraries, OFFICIAL]
    options = {"-t": arguments.topic, "-w": arguments.in_flight, "-s": arguments.size, "-n": arguments.namesrv}
    return java + [str(part) for option in options.items() for part in option]


async def _measure(admin: Admin, arguments: argparse.Namespace, command: list[str]) -> Round:
    with tempfile.TemporaryFile("w+") as log:
        process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            return await _measure_running(admin, arguments, process, log)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _measure_running(
    admin: Admin, arguments: argparse.Namespace, process: asyncio.subprocess.Process, log: IO[str]
) -> Round:
    before = await _stored(admin, arguments)

    async def sending() -> bool:
        if process.returncode is not None:
            log.seek(0)
            sys.exit(f"a producer ended with {process.returncode}: {log.read()}")
        return await _stored(admin, arguments) > before

    await _wait_until(sending, 60, "the first message of a producer")
    await asyncio.sleep(arguments.warm_up)
    began, stored, used = time.monotonic(), await _stored(admin, arguments), _cpu(process.pid)
    await asyncio.sleep(arguments.seconds)
    ended, grown, spent = time.monotonic(), await _stored(admin, arguments), _cpu(process.pid)
    return Round((grown - stored) / (ended - began), (spent - used) / (ended - began))


async def _stored(admin: Admin, arguments: argparse.Namespace) -> int:
    route = await admin.route(arguments.namesrv, arguments.topic)
    queues = write_queues(route) if route is not None else ()
    return sum(
        await asyncio.gather(*(admin.max_offset(each.address, arguments.topic, each.queue) for each in queues))
    )


async def _routed(admin: Admin, arguments: argparse.Namespace) -> None:
    async def complete() -> bool:
        route = await admin.route(arguments.namesrv, arguments.topic)
        return route is not None and len(write_queues(route)) == arguments.queues * len(route.groups)

    await _wait_until(complete, 30, f"{arguments.topic} in the route")


async def _wait_until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {seconds} s")
        await asyncio.sleep(0.1)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())

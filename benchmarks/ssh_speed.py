"""A login and a command over it, against paramiko alone in the same run; a real sshd on a loopback port.

Ours is what every command of rmqops pays for a host: fabric's connection, the host's key judged, our keys, and the
wrapping of the command. The other is ``paramiko.SSHClient`` with the same key and the host's key loaded, and the
bare command. Rounds alternate, medians count; processor seconds are this process's, which say more where others
are at work on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import paramiko

from rmqops.model.commands import Command
from rmqops.transport import pool
from rmqops.transport.base import Transport, transport_for
from tests.support.sshd import Sshd, sshd


@dataclass
class Times:
    """Seconds of each round."""

    login: list[float] = field(default_factory=list)
    """With the first command."""
    processor: list[float] = field(default_factory=list)
    command: list[float] = field(default_factory=list)

    def take(self, login: Callable[[], None], command: Callable[[], None]) -> None:
        """Measure one round."""
        started, used = time.perf_counter(), time.process_time()
        login()
        self.login.append(time.perf_counter() - started)
        self.processor.append(time.process_time() - used)
        started = time.perf_counter()
        command()
        self.command.append(time.perf_counter() - started)


def ours(transport: Transport, times: Times) -> None:
    """Log in, and run two commands."""

    def command() -> None:
        assert transport.run(Command(("true",))).ok

    times.take(command, command)
    pool.close_all()


def plain(host: Sshd, times: Times) -> None:
    """Do the same with paramiko alone."""
    with paramiko.SSHClient() as client:
        client.load_host_keys(str(host.known_hosts))

        def command() -> None:
            assert client.exec_command("true")[1].channel.recv_exit_status() == 0

        def login() -> None:
            client.connect(
                "127.0.0.1", host.port, key_filename=str(host.key), allow_agent=False, look_for_keys=False
            )
            command()

        times.take(login, command)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    ours_times, plain_times = Times(), Times()
    with tempfile.TemporaryDirectory() as directory, sshd(Path(directory)) as host:
        transport = transport_for(host.instance())
        ours(transport, Times())  # not counted: what is loaded and asked once a process
        for _ in range(rounds):
            ours(transport, ours_times)
            plain(host, plain_times)
    for name in ("login", "processor", "command"):
        fabric, bare = (statistics.median(getattr(times, name)) for times in (ours_times, plain_times))
        print(f"{name}: {1000 * fabric:.1f} ms ÷ paramiko {1000 * bare:.1f} ms = {fabric / bare:.2f}")


if __name__ == "__main__":
    main()

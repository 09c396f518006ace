"""Where processes of the load run and how they are started: this machine, or a client's host (``.remote``)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rmqops.chaos.load.clients.drivers import Driver, Settings


class Input(Protocol):
    """What a process is told."""

    def write(self, data: bytes, /) -> None:
        """Take some input, without waiting."""


class Process(Protocol):
    """A process of the load; :class:`asyncio.subprocess.Process` is one."""

    @property
    def pid(self) -> int:
        """Its process id on its host."""

    @property
    def returncode(self) -> int | None:
        """Its exit code, minus the signal's number when one ended it; None while it runs."""

    @property
    def stdin(self) -> Input | None:
        """Where it is told to stop; its end ends the process."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """Lines of the history."""

    @property
    def stderr(self) -> asyncio.StreamReader | None:
        """What it complains of."""

    def kill(self) -> None:
        """Send SIGKILL; :meth:`wait` tells when it is gone."""

    async def wait(self) -> int:
        """Return its exit code once it has ended."""


class Place(Protocol):
    """One machine that processes of the load run on."""

    @property
    def name(self) -> str:
        """The host's, for messages and the journal; empty for this machine."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What a result must say of it: how far its clock may be off, for example."""

    @property
    def clock_error(self) -> float:
        """Seconds by which its times may be off from ours."""

    async def start(self, settings: Settings, run: Path) -> Process:
        """Start a process, whose settings count time by this machine's clock, for the run of that directory.

        Raises:
            OperationFailed: it cannot be started.
        """

    async def close(self) -> None:
        """Make sure that nothing of the run is left there.

        Raises:
            OperationFailed: something is, or may be.
        """


@dataclass(frozen=True)
class ThisMachine:
    """This machine."""

    driver: Driver
    name: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    clock_error: float = 0.0

    async def start(self, settings: Settings, run: Path) -> Process:
        """Start a process as a child of ours."""
        return await asyncio.create_subprocess_exec(
            *self.driver.argv(settings, run),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the run, which ends them in order
        )

    async def close(self) -> None:
        """Do nothing: they are children of ours, and whoever started them has waited for them."""

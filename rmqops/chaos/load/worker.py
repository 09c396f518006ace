"""One process of the load, and the count of what it says."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from rmqops.chaos.history.format import ClientName
from rmqops.chaos.history.service_windows import GAP
from rmqops.chaos.load.clients.drivers import Settings
from rmqops.chaos.load.clients.settings import ProcessSummary
from rmqops.chaos.load.hosts.place import Place, Process


@dataclass
class Count:
    """What one process has said so far; times are ``t`` of the history."""

    acknowledged: int = 0
    refused: int = 0
    indeterminate: int = 0
    received: int = 0
    first_ok: float | None = None
    """Of the current run of successes: the first one after whatever went wrong last, a silence included."""
    last_ok: float | None = None

    def take(self, t: float, op: bytes, kind: bytes) -> None:
        """Count one line."""
        if op == b"receive":
            self.received += kind == b"ok"
        elif kind == b"ok":
            self.acknowledged += 1
            if self.first_ok is None or self.last_ok is None or t - self.last_ok > GAP:
                self.first_ok = t
            self.last_ok = t
        elif kind != b"invoke":
            self.refused += kind == b"fail"
            self.indeterminate += kind == b"info"
            self.first_ok = None


@dataclass
class Worker:
    """One process."""

    settings: Settings
    process: Process
    where: Place = field(kw_only=True)
    """What it runs on; a new life in its place runs there, too."""
    count: Count = field(default_factory=Count)
    complaints: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    """The end of what it wrote to standard error."""
    client: Mapping[str, str] = field(default_factory=dict)
    """What it says of its client: the driver, the version, the settings."""
    lines: Counter[str] = field(default_factory=Counter)
    """How many lines came of it, by the name that they bear."""
    summary: ProcessSummary | None = None
    reading: asyncio.Task[None] | None = None
    struck: bool = False
    """The drill has killed it."""

    @property
    def name(self) -> str:
        """Its name in the history."""
        return self.settings.name

    @property
    def client_name(self) -> ClientName:
        """Its role, its place and which life in it this is, as its name says.

        Raises:
            ValueError: its name is none that a roster gives.
        """
        name = ClientName.parse(self.name)
        if name is None:
            raise ValueError(f"{self.name} is no name of a process of the load")
        return name

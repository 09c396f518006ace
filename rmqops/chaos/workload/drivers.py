"""What sends and receives: a driver knows how its processes are started. Their protocol is the same."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from rmqops.chaos.workload.settings import ConsumerSettings, ProducerSettings, write

Settings = ProducerSettings | ConsumerSettings


class Driver(Protocol):
    """Makes the processes of the load."""

    @property
    def shares(self) -> bool:
        """Whether the consumers are one consumer group that shares the queues, and not readers of all of them."""

    def argv(self, settings: Settings, run: PurePath) -> list[str]:
        """Return the command of one process; what it logs goes into the run's directory."""


@dataclass(frozen=True)
class Native:
    """Our own client, in Python."""

    shares: bool = False

    def argv(self, settings: Settings, run: PurePath) -> list[str]:
        """Return the command of one process."""
        return [sys.executable, "-m", "rmqops.chaos.workload.native", write(settings)]

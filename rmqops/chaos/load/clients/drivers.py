"""What sends and receives: a driver knows how its processes are started. Their protocol is the same."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from rmqops.chaos.load.clients.settings import ConsumerSettings, ProducerSettings, write

Settings = ProducerSettings | ConsumerSettings


class Driver(Protocol):
    """Makes the processes of the load."""

    @property
    def shares(self) -> bool:
        """Whether the consumers are one consumer group that shares the queues, and not readers of all of them."""

    def argv(self, settings: Settings, run: PurePath) -> list[str]:
        """Return the command of one process; what it logs goes into the run's directory."""


MODULE = "rmqops.chaos.load.clients.native"


@dataclass(frozen=True)
class Native:
    """Processes of our own client, in Python."""

    program: tuple[str, ...] = (sys.executable, "-m", MODULE)
    """How one is started."""
    mark: str = ""
    """A word that stands on the command line of each, for whoever looks for them; none when empty."""
    silence: int = 0
    """Seconds without a word after which a process ends itself; 0 for never."""
    shares: bool = False

    def argv(self, settings: Settings, run: PurePath) -> list[str]:
        """Return the command of one process; it logs nothing."""
        return [*self.program, write(settings), str(self.silence), *([self.mark] if self.mark else ())]

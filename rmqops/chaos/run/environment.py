"""How a drill reaches what is outside of it: hosts, brokers, processes of the load, the journal, and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from rmqops.chaos.load.clients.drivers import Driver
from rmqops.chaos.load.hosts.place import Place, ThisMachine
from rmqops.chaos.run.journal import Journal
from rmqops.remoting.client import Client
from rmqops.system import event_loop
from rmqops.transport.base import Transports, transport_for

_T = TypeVar("_T")


class RunCoroutine(Protocol):
    """Runs a coroutine to its end in an event loop of its own."""

    def __call__(self, coroutine: Coroutine[object, object, _T], /) -> _T:
        """Return its result."""


@dataclass(frozen=True)
class Environment:
    """The real one by default; a test hands in its own parts."""

    transports: Transports = transport_for
    clients: Callable[..., Client] = Client
    """Opens connections to NameServers and brokers; takes the time-outs of :class:`Client`."""
    here: Callable[[Driver], Place] = ThisMachine
    """How a driver's processes are started on this machine."""
    journal: Callable[[Path], Journal] = Journal
    """Opens the journal of a run's directory."""
    clock: Callable[[], float] = time.monotonic
    """Seconds; the clock of the event loop and of the load's processes."""
    pause: Callable[[float], None] = time.sleep
    """Waits, outside of the event loop."""
    run: RunCoroutine = event_loop.run


REAL = Environment()
"""This machine, its clock, and the hosts of an inventory."""

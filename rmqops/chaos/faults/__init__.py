"""One file a fault. PURE: a fault is a plan of commands, and something else runs them.

A module of this package is a fault; its name is the fault's kind. It holds ``SUMMARY`` and the functions of
:class:`Fault`. Nothing else has to know of it: a new file is a new fault.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Protocol, cast

from rmqops.errors import UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance


@dataclass(frozen=True)
class Plan:
    """All that is run on the host for one fault on one instance, known before any of it is run."""

    inject: Command
    """Exits with 0 when the fault was put in force."""
    verify: Command
    """Exits with 0 only when the fault has bitten; waits for that, within a bound of its own."""
    heal: Command
    """Takes the fault away. Does no harm where there is none, so it may be run twice."""
    healed: Command
    """Exits with 0 only when nothing of the fault is left."""

    @property
    def cure(self) -> Command:
        """Heal, then make sure of it, as one command: what is armed on the host as its dead-man heal."""
        return Command.shell(f"{self.heal} && {self.healed}", timeout=self.heal.timeout + self.healed.timeout)


class Fault(Protocol):
    """A module of this package."""

    SUMMARY: str
    """What it does, in one sentence."""

    def requires(self, instance: Instance) -> Command:
        """Return the probe: exits with 0 when the fault is possible here, and changes nothing."""

    def plan(self, instance: Instance, found: str) -> Plan:
        """Return the plan for an instance; ``found`` is what the probe printed."""


def kinds() -> tuple[str, ...]:
    """Return the kind of every fault."""
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)))


def find(kind: str) -> Fault:
    """Return the fault of a kind.

    Raises:
        UsageError: there is none.
    """
    if kind not in kinds():
        raise UsageError(f"there is no fault {kind!r}", remedy=f"use one of {', '.join(kinds())}")
    return cast("Fault", importlib.import_module(f"{__name__}.{kind.replace('-', '_')}"))

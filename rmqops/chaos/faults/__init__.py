"""One file a fault. PURE: a fault is a plan of commands, and something else runs them.

A module of this package is a fault; its name is the fault's kind. It holds the constants and the functions of
:class:`Fault`. Nothing else has to know of it: a new file is a new fault.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from rmqops.errors import UsageError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance, Topology

Options = Mapping[str, float | str]
"""How a fault is to be: what the drill says, else the fault's defaults."""


@dataclass(frozen=True)
class Option:
    """One option of a fault: a number between two bounds, or one of some words, or words with commas between."""

    default: float | str
    what: str
    """What it means, with its unit."""
    low: float = 0
    high: float = 0
    words: tuple[str, ...] = ()
    """The words that there are; none when the default is a number, or a text that the fault reads itself."""

    def schema(self) -> dict[str, object]:
        """Return its JSON schema."""
        kind: dict[str, object] = {"type": "string", **({"enum": list(self.words)} if self.words else {})}
        if not isinstance(self.default, str):
            kind = {"type": "number", "minimum": self.low, "maximum": self.high}
        return {**kind, "default": self.default, "description": self.what}

    def wrong(self, value: float | str) -> str | None:
        """Say what a value should be instead, or None."""
        if isinstance(self.default, str):
            if isinstance(value, str) and (not self.words or value in self.words):
                return None
            return f"one of {', '.join(self.words)}" if self.words else "a text"
        if not isinstance(value, str) and self.low <= value <= self.high:
            return None
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Aim:
    """One victim of a fault, and how it is to be struck."""

    instance: Instance
    topology: Topology
    options: Options = field(default_factory=dict)
    fault: str = "probe"
    """The strike's id, unique on the host: a name for what the fault must find again."""
    clients: tuple[str, ...] = ()
    """Addresses from which the load reaches the cluster."""

    def number(self, option: str) -> float:
        """Return an option that is a number."""
        return float(self.options[option])

    def text(self, option: str) -> str:
        """Return an option that is a text."""
        return str(self.options[option])


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
    away: float = 0
    """Seconds that the host may be out of reach because of the fault; all but ``inject`` is then tried again."""

    @property
    def cure(self) -> Command:
        """Heal, then make sure of it, as one command: what is armed on the host as its dead-man heal."""
        return Command.shell(f"{self.heal} && {self.healed}", timeout=self.heal.timeout + self.healed.timeout)


class Fault(Protocol):
    """A module of this package."""

    SUMMARY: str
    """What it does, in one sentence."""
    OPTIONS: Mapping[str, Option]
    """What a drill may say of it."""

    def requires(self, aim: Aim) -> Command:
        """Return the probe: exits with 0 when the fault is possible here, and changes nothing."""

    def plan(self, aim: Aim, found: str) -> Plan:
        """Return the plan for a victim; ``found`` is what the probe printed."""


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


def options(kind: str, given: Options) -> Options:
    """Return the options of a fault: what is given, else its defaults.

    Raises:
        UsageError: there is no such fault or option, or a value is not one of it.
    """
    known = find(kind).OPTIONS
    for name, value in given.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"the fault {kind} has no option {name!r}", remedy=has)
        wanted = known[name].wrong(value)
        if wanted:
            raise UsageError(f"the fault {kind}: {name} is {value!r}", remedy=f"give {wanted}")
    return {name: given.get(name, option.default) for name, option in known.items()}

"""A fault as values: whom it strikes, its options, and every command that it is made of. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

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
class FaultPlan:
    """All that is run on the host for one fault on one instance, known before any of it is run."""

    inject: Command
    """Exits with 0 when the fault was put in force."""
    verify: Command
    """Exits with 0 only when the fault is seen to be in force; waits for that, within a bound of its own."""
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
    """A module of :mod:`rmqops.chaos.faults`."""

    SUMMARY: str
    """What it does, in one sentence."""
    OPTIONS: Mapping[str, Option]
    """What a drill may say of it."""

    def requires(self, aim: Aim) -> Command:
        """Return the probe: exits with 0 when the fault is possible here, and changes nothing."""

    def plan(self, aim: Aim, probe_output: str) -> FaultPlan:
        """Return the plan for a victim; ``probe_output`` is what the probe printed there."""

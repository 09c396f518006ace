"""One file a probe. PURE: what to ask a machine, and what its answer means.

A module of this package is a probe; its name is the probe's name. It holds the functions of :class:`Probe`, and
nothing else has to know of it: a new file is a new probe. :mod:`rmqops.operations.check` runs them.

A probe asks by commands that only read. What it cannot tell is ``unknown``, never ``ok``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

from rmqops.model.commands import Command
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

FindingSeverity = Literal["ok", "warning", "failed", "unknown"]
"""A warning is advice; what failed would keep the service from working."""


@dataclass(frozen=True)
class Finding:
    """What a probe found on a machine."""

    severity: FindingSeverity
    found: str
    wanted: str
    remedy: str = ""
    """One sentence that says what to do; empty when nothing is to be done."""
    subject: str = ""
    """What of the machine it is about: an instance, a directory, a setting. Empty for the machine as a whole."""


@dataclass(frozen=True)
class Mend:
    """What ``--apply`` does about a probe's findings on a machine: safe, idempotent, persistent and reversible."""

    summary: str
    """What it changes, for the operator who is asked."""
    command: Command


@dataclass(frozen=True)
class Survey:
    """What was seen everywhere: a probe that compares machines needs more than its own answers."""

    machines: tuple[Machine, ...]
    """Those that answered."""
    facts: Mapping[str, Facts] = field(default_factory=dict)
    """The state of each instance on them, by name."""
    clocks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Bounds of each machine's clock against ours, in seconds, by the machine's name."""
    answers: Mapping[str, Mapping[str, tuple[Answer, ...]]] = field(default_factory=dict)
    """The answers to all rounds of a probe, by the probe's and the machine's name."""
    architecture: str = ""
    """``uname -m`` of the machine that rmqops runs on, for which the bundled Java is made."""
    python: str = ""
    """The Python that runs rmqops, and Ansible's modules on this machine."""
    token: str = ""
    """A word that nobody else says: by it a listener of this check is known."""

    def of(self, probe: str, machine: Machine) -> tuple[Answer, ...]:
        """Return the answers of a machine to a probe."""
        return self.answers.get(probe, {}).get(machine.name, ())


Round = Callable[[Machine, Survey], Iterable[Command]]


class Probe(Protocol):
    """A module of this package.

    One that has to look more than once holds ``ROUNDS``, a tuple of functions like ``ask``, in its place: all
    machines have ended a round before the next one begins, and each sees what those before it brought. What an
    earlier round sets up the last one takes away; it runs after Ctrl-C, too.
    A function ``mend(machine, answers, survey) -> Mend | None`` is what ``--apply`` runs; most have none.
    """

    SUMMARY: str
    """What is looked at and why, in one sentence."""

    def ask(self, machine: Machine, survey: Survey) -> Iterable[Command]:
        """Return the commands to run there; they change nothing."""

    def judge(self, machine: Machine, answers: tuple[Answer, ...], survey: Survey) -> Iterable[Finding]:
        """Hold what they said against what the topology wants."""


def discover() -> dict[str, Probe]:
    """Return every probe by its name, in order of names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): cast("Probe", importlib.import_module(f"{__name__}.{name}")) for name in names}


def rounds(probe: Probe) -> tuple[Round, ...]:
    """Return what a probe asks, round by round."""
    return getattr(probe, "ROUNDS", None) or (probe.ask,)


def mend(probe: Probe, machine: Machine, answers: tuple[Answer, ...], survey: Survey) -> Mend | None:
    """Return what would mend what a probe found; None when nothing would, safely."""
    function: Callable[[Machine, tuple[Answer, ...], Survey], Mend | None] | None = getattr(probe, "mend", None)
    return function(machine, answers, survey) if function else None


def ok(found: str, wanted: str, *, subject: str = "") -> Finding:
    """Return a finding that is as wanted."""
    return Finding("ok", found, wanted, "", subject)


def warning(found: str, wanted: str, remedy: str, *, subject: str = "") -> Finding:
    """Return a finding that the operator should know and may leave."""
    return Finding("warning", found, wanted, remedy, subject)


def failed(found: str, wanted: str, remedy: str, *, subject: str = "") -> Finding:
    """Return a finding with which the service would not work."""
    return Finding("failed", found, wanted, remedy, subject)


def unknown(found: str, wanted: str, remedy: str, *, subject: str = "") -> Finding:
    """Return what could not be found out."""
    return Finding("unknown", found, wanted, remedy, subject)

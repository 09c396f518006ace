"""What a run's journal has left open, and how it ends: told again from the drill and the inventory.

Runs are sent from one to another, and whoever writes a journal must not decide what is run as root on hosts. So
nothing that stands in one is run, and no path in it is used: the heal of a fault is made again from its kind, its
instance and its id, and a journal that says something else is not followed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rmqops.chaos import faults
from rmqops.chaos.drill import Drill, Strike, reading, targets
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.chaos.run.journal import DRILL, JournalEntry
from rmqops.errors import RmqopsError
from rmqops.model.commands import Command
from rmqops.model.topology import Instance, Topology
from rmqops.operations.topics import topics

_RUN: Final = r"[0-9]{8}T[0-9]{6}Z-{drill}"
"""How a run is called (:mod:`rmqops.chaos.run.context`)."""


class Unexplained(Exception):
    """A journal says what drill and inventory do not; its text says what, and what to do."""


@dataclass(frozen=True)
class Cure:
    """How a fault that may be in force ends."""

    instance: Instance
    command: Command


def drill_of(run: Path) -> Drill:
    """Return the drill of a run.

    Raises:
        UsageError: it has none that can be read.
    """
    return reading.find(str(run / DRILL))


def is_fault(name: str | None, drill: Drill) -> bool:
    """Tell whether a text is the id of a fault of a run of a drill; then it has letters, digits and hyphens."""
    return re.fullmatch(rf"{_name(drill)}-[0-9]+-[0-9]+", name or "", re.ASCII) is not None


def is_topic(name: str, drill: Drill) -> bool:
    """Tell whether a text is the name of a topic of a run of a drill."""
    return re.fullmatch(rf"{topics.DRILL_PREFIX}{_name(drill)}(-[0-9]+)?", name, re.ASCII) is not None


def _name(drill: Drill) -> str:
    return _RUN.replace("{drill}", re.escape(drill.name))


def faults_in(entries: tuple[JournalEntry, ...]) -> list[JournalEntry]:
    """Return the heal plan of each fault that may be in force: injected, and not seen healed."""
    plans = {entry.fault: entry for entry in entries if entry.step == "heal-plan" and entry.command is not None}
    healed = {entry.fault for entry in entries if entry.step == "healed" and entry.state == "done"}
    injected = {entry.fault for entry in entries if entry.step == "inject"}
    return [plan for fault, plan in plans.items() if fault in injected - healed]


def topics_in(entries: tuple[JournalEntry, ...]) -> list[str]:
    """Return the topics that were made, or were about to be, and not deleted."""
    made = dict.fromkeys(entry.note for entry in entries if entry.step == "topic" and entry.note)
    gone = {entry.note for entry in entries if entry.step == "untopic" and entry.state == "done"}
    return [topic for topic in made if topic not in gone]


def explained(entry: JournalEntry, drill: Drill, topology: Topology) -> Cure:
    """Return how the fault of a heal plan ends, made anew; :func:`is_fault` holds for its id.

    Raises:
        Unexplained: the drill has no such fault, the inventory no such instance or has it elsewhere now, or the
            heal that is made anew is not the journal's.
    """
    instance = next((item for item in topology.instances if item.name == entry.instance), None)
    if instance is None:
        raise Unexplained(f"{topology.inventory} has no instance {entry.instance} (any more)")
    if not any(_means(strike, str(entry.kind), instance) for strike in drill.strikes):
        raise Unexplained(f"drill {drill.name} has no fault {entry.kind} on {instance.name}")
    if entry.machine not in {None, instance.machine}:
        raise Unexplained(
            f"{instance.name} was on {entry.machine} then, and the inventory has it on {instance.machine}"
        )
    try:
        command = faults.cure(str(entry.kind), Aim(instance, topology, fault=str(entry.fault)))
    except RmqopsError as error:
        raise Unexplained(error.message) from error
    if command.argv != entry.command:
        raise Unexplained(
            f"the heal in the journal is not that of a fault {entry.kind} on {instance.name}: its directories "
            "have changed since, another rmqops wrote it, or somebody has edited it"
        )
    return Cure(instance, command)


def _means(strike: Strike, kind: str, instance: Instance) -> bool:
    return strike.fault == kind and targets.could_mean(strike.target, instance)

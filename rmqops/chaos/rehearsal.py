"""What a drill would send to its hosts, command by command. PURE."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rmqops.chaos import faults
from rmqops.chaos.drill import Drill
from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.run.preflight import Probed

FAULT = "dry-run"
"""Stands for the id of a fault, which has the run's name in it."""


@dataclass(frozen=True)
class Act:
    """One command on one host."""

    strike: str
    instance: str
    host: str
    step: str
    argv: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command, as one would type it."""
        return shlex.join(self.argv)


def acts(drill: Drill, probed: Iterable[Probed]) -> Iterator[Act]:
    """Yield every command of every strike, in the order of a strike, for every instance that may be struck."""
    for possible in probed:
        fault, aim = faults.find(possible.strike.fault), replace(possible.aim, fault=FAULT)
        plan = fault.plan(aim, possible.output)
        steps = {
            "probe": faults.probe(possible.strike.fault, aim),
            "arm": deadman.arm(aim.instance, FAULT, plan.cure, drill.times.deadline),
            "inject": plan.inject,
            "verify": plan.verify,
            "heal": plan.heal,
            "healed": plan.healed,
            "disarm": deadman.disarm(aim.instance, FAULT),
        }
        for step, command in steps.items():
            yield Act(possible.strike.words, aim.instance.name, aim.instance.machine, step, tuple(command.argv))

"""The phases of a drill in the order in which they come; what is left to chance is the seed's. PURE."""

from __future__ import annotations

import random
from dataclasses import dataclass

from rmqops.chaos.drill.model import Drill, Phase


@dataclass(frozen=True)
class ScheduledPhase:
    """One phase of a schedule."""

    number: int
    """From 1 on."""
    phase: Phase
    pause: float
    """Seconds of load before it, besides what the drill says of the first."""
    seed: str
    """Decides who is struck, where the target leaves a choice."""


def scheduled(drill: Drill, seed: int) -> tuple[ScheduledPhase, ...]:
    """Return the phases in their order; the same seed gives the same schedule."""
    chance = random.Random(seed)
    phases: list[Phase] = []
    for _ in range(drill.schedule.rounds):
        if drill.schedule.order == "random":
            phases.append(chance.choice(drill.phases))
        elif drill.schedule.order == "shuffled":
            phases += chance.sample(drill.phases, len(drill.phases))
        else:
            phases += drill.phases
    pauses = [0.0, *(round(chance.uniform(*drill.schedule.pause), 3) for _ in phases[1:])]
    return tuple(
        ScheduledPhase(number, phase, pause, f"{seed}-{number}")
        for number, (phase, pause) in enumerate(zip(phases, pauses, strict=True), 1)
    )

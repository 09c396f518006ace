"""Whom the strikes of a phase mean at the moment of the strike."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rmqops.chaos.drill import ScheduledPhase, Strike, targets
from rmqops.chaos.drill.targets import Masters
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.model.topology import Instance, Topology


@dataclass(frozen=True)
class PlannedStrike:
    """A fault that is to be put in force on one instance; the aim's id is given later."""

    kind: str
    target: str
    aim: Aim

    @property
    def victim(self) -> Instance:
        """Whom it strikes."""
        return self.aim.instance


def planned(
    step: ScheduledPhase, topology: Topology, masters: Masters, clients: tuple[str, ...]
) -> Iterator[PlannedStrike]:
    """Yield a strike for each instance that a phase's targets mean now; none for processes of the load.

    Args:
        step: The phase and its seed.
        topology: The cluster.
        masters: What each NameServer says.
        clients: Addresses from which the load reaches the cluster.

    Raises:
        Inconclusive: the NameServers do not agree on a master that is to be struck.
        UsageError: a target names nobody.
    """
    for strike in step.phase.strikes:
        # Each begins with the same chance, so that all of a phase mean the same group.
        for victim in targets.resolve(strike.target, topology, masters, random.Random(step.seed)):
            aim = Aim(victim, topology, strike.chosen, clients=clients)
            yield PlannedStrike(strike.fault, strike.target, aim)


def announcement(
    strike: Strike, instances: Sequence[PlannedStrike], processes: Sequence[tuple[Strike, str]]
) -> str:
    """Say whom a strike means: the instances among all that were planned, or the processes of the load."""
    names = [
        f"{each.victim.name} ({each.victim.address})"
        for each in instances
        if (each.kind, each.target) == (strike.fault, strike.target)
    ] or [name for struck, name in processes if struck is strike]
    return f"strike: {strike.words}, that is {', '.join(names)}"

"""What ends a drill before its time: a dead load, a spent error budget, an ill group that nobody struck."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from rmqops.chaos.drill import Abort
from rmqops.chaos.load.workers import Workers
from rmqops.chaos.run.sampler import RouteSampler
from rmqops.errors import Inconclusive
from rmqops.model.topology import Instance

INTERVAL = 0.05


class Watch:
    """Looked through in every wait of a drill.

    Args:
        abort: The drill's bounds.
        groups: Every broker group.
        load: What sends.
        sampler: What asks the NameServers.
        now: Seconds since the run's start.
        agreement: How many seconds a group may be without a master before that is an illness.
    """

    def __init__(
        self,
        abort: Abort,
        groups: Iterable[str],
        load: Workers,
        sampler: RouteSampler,
        now: Callable[[], float],
        agreement: float,
    ) -> None:
        self.load = load
        self.sampler = sampler
        self._abort = abort
        self._groups = frozenset(groups)
        self._now = now
        self._agreement = agreement
        self._struck: tuple[Instance, ...] = ()
        self._ill_since: dict[str, float] = {}

    def strike(self, victims: Iterable[Instance]) -> None:
        """Be told whom the next faults strike."""
        self._struck = tuple(victims)

    def healed(self) -> None:
        """Be told that the cluster is healthy again."""
        self._struck = ()
        self._ill_since.clear()

    async def rest(self, seconds: float) -> None:
        """Let load flow for a while, and see that nothing ends the drill."""
        end = self._now() + seconds
        while (left := end - self._now()) > 0:
            self.look()
            await asyncio.sleep(min(left, INTERVAL))

    def look(self) -> None:
        """Make sure that the drill may go on.

        Raises:
            Inconclusive: it may not; says why. What is in force is healed on the way out.
        """
        self.load.alive()
        self.sampler.check()
        bound, now = self._abort, self._now()
        failed, silence = self.load.failed, now - self.load.last_ok
        if bound.failed and failed > bound.failed:
            raise Inconclusive(f"the error budget is spent: {failed} sends went wrong, {bound.failed} are allowed")
        if bound.outage and silence > bound.outage and self._struck:
            raise Inconclusive(f"the error budget is spent: no acknowledgement for {silence:.1f} s")
        if bound.other_groups:
            self._others(now)

    def _others(self, now: float) -> None:
        deaf = {victim.name for victim in self._struck}
        if not self._struck or deaf.issuperset(self.sampler.masters):
            return
        for group in self._groups - {victim.group for victim in self._struck}:
            if self.sampler.agreed(group, deaf) is not None:
                self._ill_since.pop(group, None)
            elif now - self._ill_since.setdefault(group, now) > self._agreement:
                raise Inconclusive(
                    f"group {group}, which was not struck, has had no master for {self._agreement:g} s"
                )

"""One phase of a drill under way: faults struck together, watched, healed together, and recovered from."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from rmqops.chaos.drill import ScheduledPhase, guard, targets
from rmqops.chaos.history.format import NEMESIS, RECOVERED
from rmqops.chaos.history.service_windows import GAP
from rmqops.chaos.run import reads, strike_plan
from rmqops.chaos.run.client_kills import ClientKills
from rmqops.chaos.run.context import Run
from rmqops.chaos.run.nemesis import Nemesis
from rmqops.chaos.run.watch import Watch
from rmqops.errors import HealFailed, Inconclusive, OperationFailed
from rmqops.model.history import Event, Type
from rmqops.model.topology import Instance
from rmqops.operations.observe import status
from rmqops.operations.observe.status import Status
from rmqops.remoting.client import Client
from rmqops.system import waiting

MARGIN = 5.0
"""Seconds between our heal and the dead-man's, which must not come first."""
INTERVAL = 0.05
STEADY_WITHIN = 10.0
"""Seconds for a load that stumbled while heals were armed to be steady again."""


class PhaseRun:
    """A phase; :meth:`perform` goes through it, and :meth:`heal` may be awaited at any time.

    Args:
        run: The drill under way.
        watch: What ends the drill before its time; has the load and what the NameServers say.
        step: The phase, and its place in the schedule.
    """

    def __init__(self, run: Run, watch: Watch, step: ScheduledPhase) -> None:
        self._run = run
        self._watch = watch
        self._load = watch.load
        self._sampler = watch.sampler
        self._step = step
        self._times = run.drill.times
        self._loop = asyncio.get_running_loop()
        prefix, facts = f"{run.name}-{step.number}", {"phase": str(step.number), "expects": step.phase.expects}
        self._client_kills = ClientKills(
            prefix, facts, load=self._load, journal=run.journal, recorder=run.recorder
        )
        self._nemesis = Nemesis(
            prefix,
            facts,
            journal=run.journal,
            emit=self._hand_in,
            now=run.now,
            transports=run.environment.transports,
            pause=run.environment.pause,
        )
        self._masters: dict[str, Instance | None] = {}
        """Who was master of each group before the strike."""
        self._struck = 0.0
        """When the first fault was about to be injected."""
        self._armed = 0.0
        """When the dead-man began to count."""

    async def perform(self, client: Client) -> None:
        """Strike, watch, heal, recover.

        Raises:
            Inconclusive: there was nobody to strike, a fault was not verified, or the drill's bounds were passed.
            HealFailed: a fault could not be taken away.
            OperationFailed, RemotingError: something else went wrong on the way.
        """
        await self._strike(client)
        watching = {
            "service": self._fail_over,
            "standstill": self._stand_still,
            "reads": lambda: self._read_on(client),
            "anything": self._expect_nothing,
        }
        await watching[self._step.phase.expects]()
        await self._watch.rest(self._hold)
        await self._heal()
        await self._recover(client)

    async def heal(self) -> None:
        """Take away what is in force.

        Raises:
            HealFailed: a fault may still be in force.
        """
        if not await waiting.to_end(self._nemesis.heal):
            raise HealFailed(
                "a fault could not be healed; its dead-man heal stays armed",
                detail="\n".join(
                    f"{fault.instance.name}: {fault.kind}: {fault.error}"
                    for fault in self._nemesis.strikes
                    if fault.error
                )
                or None,
                remedy=f"rmqops chaos heal --inventory {self._run.topology.inventory}",
            )

    async def close(self) -> None:
        """Take away what is in force, before the load ends.

        Raises:
            HealFailed: a fault may still be in force.
        """
        self._client_kills.close()
        await self.heal()

    async def _strike(self, client: Client) -> None:
        """Put the phase's faults in force: whom they mean, the guard, probes, armed heals, and then the faults."""
        run = self._run
        seen = await self._status(client)
        if not seen.healthy:
            raise Inconclusive(
                "the cluster fell ill before the strike; nothing was struck", detail="\n".join(seen.problems)
            )
        self._masters = {group.name: self._sampler.agreed(group.name) for group in run.topology.groups}
        planned = list(
            strike_plan.planned(self._step, run.topology, self._sampler.masters, run.ready.survey.clients)
        )
        victims = [strike.victim for strike in planned]
        guard.limit(run.topology, run.drill, victims)
        await waiting.to_end(run.ready.lock.check)
        clients = [strike for strike in self._step.phase.strikes if targets.client(strike.target)]
        self._client_kills.choose(clients, random.Random(self._step.seed))
        await waiting.to_end(lambda: self._nemesis.prepare(planned))
        self._armed = run.now()
        await waiting.to_end(lambda: self._nemesis.arm(self._times.deadline))
        if self._step.number == 1:
            await self._steady()
        self._watch.strike(victims)
        for strike in self._step.phase.strikes:
            run.say(strike_plan.announcement(strike, planned, self._client_kills.victims))
        self._struck = run.now()
        verified = await waiting.to_end(self._nemesis.strike)
        if not await self._client_kills.strike() or not verified:
            errors = [
                f"{fault.kind}: {fault.error or ''}" for fault in self._nemesis.strikes if not fault.verified
            ]
            raise Inconclusive(f"the fault did not bite: {'; '.join((*errors, *self._client_kills.errors))}")
        run.say(f"verified after {1000 * (run.now() - self._struck):.0f} ms")

    async def _steady(self) -> None:
        """Make sure that sends work right before the first strike: arming may take seconds where hosts are busy.

        Raises:
            Inconclusive: they do not, so that what comes could not be told from what was.
        """

        async def unsteady() -> str | None:
            self._watch.look()
            return None if self._load.sustained(GAP, self._run.now()) else self._load.trouble()

        try:
            await waiting.until("a load that is steady at the strike", unsteady, STEADY_WITHIN, interval=INTERVAL)
        except OperationFailed as error:
            raise Inconclusive(f"{error.message}; nothing was struck") from error

    async def _fail_over(self) -> None:
        """Watch until every group has a master on which all agree and sends are sustained, or the bound passes."""
        deaf = {victim.name for victim in self._nemesis.victims}
        # Without DLedger nobody is elected: a group that was struck waits for its heal.
        stuck = {victim.group for victim in self._nemesis.victims} & self._unelecting
        heard = not deaf.issuperset(self._sampler.masters)
        groups = [name for name in self._masters if name not in stuck] if heard else []

        async def waiting_for() -> str | None:
            self._watch.look()
            for name in groups:
                master = self._sampler.agreed(name, deaf)
                if master is None:
                    return f"group {name} has no master on which the NameServers agree"
                if master != self._masters[name]:
                    self._masters[name] = master
                    self._run.say(f"master of {name} is {master.name} after {self._since_strike()}")
            return None if self._served() else "sends fail still"

        if await self._until("sends sustained again", waiting_for, self._patience()):
            sustained = f"none failed for {self._run.bounds.sustained:g} s"
            self._run.say(f"sends are sustained, {self._since_strike()} on: {sustained}")

    @property
    def _unelecting(self) -> set[str]:
        """The groups whose master a person must replace."""
        return {group.name for group in self._run.topology.groups if group.mode != "dledger"}

    async def _read_on(self, client: Client) -> None:
        """Watch until the other groups serve; then read what the living members of the struck group hold."""
        await self._fail_over()
        dead = {victim.name for victim in self._nemesis.victims}
        await reads.read_living(self._run, client, self._step.number, dead)

    async def _stand_still(self) -> None:
        """Watch until nothing is acknowledged any more, or the bound passes."""

        async def served() -> str | None:
            self._watch.look()
            silent = self._load.silent(self._run.bounds.standstill, self._run.now())
            return None if silent else "sends are acknowledged still"

        if await self._until("a standstill", served, self._patience()):
            self._run.say(f"nothing is acknowledged any more, {self._since_strike()} on")

    async def _expect_nothing(self) -> None:
        """Wait for nothing: the phase holds its faults for a time, whatever the cluster makes of them."""

    def _patience(self) -> float:
        """Return how many seconds the faults may stay in force: our heal comes before the dead-man's."""
        fail_over, spent = self._step.phase.fail_over, self._run.now() - self._armed
        return min(
            self._times.fail_over if fail_over is None else fail_over,
            self._times.deadline - self._hold - MARGIN - spent,
        )

    @property
    def _hold(self) -> float:
        """How many seconds the faults are held once what the phase expects has come."""
        hold = self._step.phase.hold
        return self._times.hold if hold is None else hold

    def _served(self) -> bool:
        """Tell whether sends have been sustained since the strike."""
        return self._load.sustained(self._run.bounds.sustained, self._run.now(), self._struck)

    async def _heal(self) -> None:
        self._run.say("healing")
        await self.heal()
        if not await self._client_kills.heal():
            raise Inconclusive(
                "a new life of a client that was killed does not do its work",
                detail="\n".join(self._client_kills.errors),
            )
        fired = [fault.instance.name for fault in self._nemesis.strikes if fault.fired]
        self._run.say(f"healed and disarmed{f'; the dead-man came first on {fired}' if fired else ''}")

    async def _recover(self, client: Client) -> None:
        run = self._run

        async def ailing() -> str | None:
            self._watch.look()
            return "; ".join((await self._status(client)).problems) or None

        async def failing() -> str | None:
            self._watch.look()
            return None if self._served() else self._load.trouble()

        started = run.now()
        try:
            await waiting.until("full recovery", ailing, self._times.recover)
        except OperationFailed as error:
            self._event("fail", error.message)
            run.say(error.message)
            return
        self._event("ok", None)
        self._watch.healed()
        run.say(f"recovered {run.now() - started:.1f} s after the heal: the cluster is healthy")
        left = started + self._times.recover - run.now()
        await self._until("sends sustained after recovery", failing, left)

    async def _status(self, client: Client) -> Status:
        """Ask the cluster how it is."""
        topology = self._run.topology
        return status.assess(topology, await status.ask(topology, client))

    async def _until(self, what: str, look: Callable[[], Awaitable[str | None]], seconds: float) -> bool:
        """Wait; when the bound passes, say so and go on: the checks judge it, and the heal is due."""
        try:
            await waiting.until(what, look, seconds, interval=INTERVAL)
        except OperationFailed as error:
            self._run.say(error.message)
            return False
        return True

    def _since_strike(self) -> str:
        return f"{self._run.now() - self._struck:.1f} s"

    def _event(self, kind: Type, error: str | None) -> None:
        self._run.recorder.event(Event(self._run.now(), NEMESIS, "heal", kind, key=RECOVERED, error=error))

    def _hand_in(self, event: Event) -> None:
        """Take an event of the nemesis, whose commands run in a thread."""
        self._loop.call_soon_threadsafe(self._run.recorder.event, event)

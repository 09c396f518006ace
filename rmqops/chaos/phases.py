"""The phases of a drill, from the topic to the read-back: the one loop with effects."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

from rmqops.chaos import guard, targets
from rmqops.chaos.crew import account, crew
from rmqops.chaos.drill import Drill
from rmqops.chaos.journal import Entry, Journal, State, Step
from rmqops.chaos.load import Load
from rmqops.chaos.readback import Reader
from rmqops.chaos.recorder import Recorder
from rmqops.chaos.sampler import RouteSampler
from rmqops.chaos.settings import Settings
from rmqops.chaos.strikes import PROCESS, Nemesis
from rmqops.errors import HealFailed, Inconclusive, OperationFailed, RemotingError
from rmqops.model.history import Event, Type
from rmqops.model.topology import Instance, Topology
from rmqops.operations import status, topics, waiting
from rmqops.remoting.client import Client
from rmqops.transport.base import Transport

FLOWS_WITHIN = 30.0
"""Seconds, besides the time that it must have been steady, for the load to become so."""
LEVEL_WITHIN = 60.0
FINISH_WITHIN = 30.0
"""Seconds for a process of the load to finish what is under way: time-outs and the rest of each queue."""
MARGIN = 5.0
"""Seconds between our heal and the dead-man's, which must not come first."""
INTERVAL = 0.05


class Phases:
    """One drill under way; :meth:`perform` goes through its phases and :meth:`clean` undoes what is left."""

    def __init__(
        self,
        topology: Topology,
        drill: Drill,
        settings: Settings,
        *,
        run: str,
        seed: int,
        keep_topic: bool,
        journal: Journal,
        recorder: Recorder,
        transports: Callable[[Instance], Transport],
        say: Callable[[str], None],
    ) -> None:
        self._topology = topology
        self._drill = drill
        self._settings = settings
        self._chance = random.Random(seed)
        self._keep_topic = keep_topic
        self._journal = journal
        self._recorder = recorder
        self._say = say
        self._topic = f"{topics.DRILL_PREFIX}{run}"
        self._topic_made = False
        self._load = Load(recorder)
        self._sampler = RouteSampler(topology, recorder.event, recorder.now)
        self._sampling: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._nemesis = Nemesis(
            run,
            drill.fault,
            drill.target,
            journal=journal,
            emit=self._hand_in,
            now=recorder.now,
            transports=transports,
        )
        self._struck = 0.0
        """When the first fault was about to be injected."""
        self._armed = 0.0
        """When the dead-man began to count."""

    async def perform(self) -> None:
        """Go through all phases.

        Raises:
            Inconclusive: the load died or did not flow, or there was nobody to strike.
            HealFailed: the fault could not be taken away.
            OperationFailed, RemotingError: something else went wrong on the way.
        """
        async with Client() as client:
            self._sampling = asyncio.create_task(self._sampler.run())
            await self._make_topic(client)
            await self._start_load()
            await self._strike(client)
            await (self._stand_still if self._drill.expects == "standstill" else self._fail_over)()
            await self._pass(self._drill.times.hold)
            await self._heal()
            await self._recover(client)
            await self._pass(self._drill.times.after)
            masters = await self._stop_load()
            await self._read_back(client, masters)

    async def clean(self) -> None:
        """Heal what is in force, end the load, delete the topic; to be awaited on every way out.

        Raises:
            HealFailed: a fault may still be in force.
            OperationFailed: the topic could not be deleted.
        """
        try:
            healed = await waiting.to_end(self._nemesis.heal)
        finally:
            await self._load.close()
            if self._sampling is not None:
                self._sampling.cancel()
                await asyncio.gather(self._sampling, return_exceptions=True)
        if not healed:
            raise self._heal_failed()
        if self._topic_made and not self._keep_topic:
            await self._delete_topic()

    async def _make_topic(self, client: Client) -> None:
        self._note("topic", "intent", self._topic)
        self._topic_made = True
        await topics.create(self._topology, client, self._topic, self._drill.load.queues)
        self._note("topic", "done", self._topic)
        self._say(f"topic {self._topic}: every member and every NameServer knows it")

    async def _delete_topic(self) -> None:
        try:
            async with Client() as client:
                await topics.delete(self._topology, client, self._topic)
        except (OperationFailed, RemotingError) as error:
            self._note("untopic", "failed", error.message)
            raise OperationFailed(
                f"the topic {self._topic} could not be deleted: {error.message}",
                remedy="once the cluster is healthy: rmqops chaos heal with the run's directory",
            ) from error
        self._note("untopic", "done", self._topic)
        self._topic_made = False

    async def _start_load(self) -> None:
        """Start the load and let it run until it has been steady for the time before the strike."""
        load, before = self._drill.load, self._drill.times.before
        await self._load.start(crew(self._topology, load, self._topic, self._recorder.epoch))

        async def unsteady() -> str | None:
            self._alive()
            silent = [one.name for one in self._load.consumers if not one.count.received]
            if silent:
                return f"{', '.join(silent)} received nothing"
            return None if self._load.sustained(before, self._recorder.now()) else self._load.trouble()

        try:
            await waiting.until("a steady load", unsteady, before + FLOWS_WITHIN, interval=INTERVAL)
        except OperationFailed as error:
            raise Inconclusive(f"{error.message}; nothing was struck", remedy="try a lower --rate") from error
        total = load.producers * load.rate
        self._say(f"steady load for {before:g} s: {load.producers} producers, {total:g} messages/s in all")

    async def _strike(self, client: Client) -> None:
        seen = status.assess(self._topology, await status.ask(self._topology, client))
        if not seen.healthy:
            raise Inconclusive(
                "the cluster fell ill before the strike; nothing was struck", detail="\n".join(seen.problems)
            )
        victims = targets.resolve(self._drill.target, self._topology, self._sampler.masters, self._chance)
        guard.limit(self._topology, self._drill, victims)
        await waiting.to_end(lambda: self._nemesis.prepare(victims))
        self._armed = self._recorder.now()
        await waiting.to_end(lambda: self._nemesis.arm(self._drill.times.deadline))
        names = ", ".join(f"{victim.name} ({victim.address})" for victim in victims)
        self._say(f"strike: {self._drill.fault} {self._drill.target}, that is {names}")
        self._struck = self._recorder.now()
        if not await waiting.to_end(self._nemesis.strike):
            errors = "; ".join(strike.error or "" for strike in self._nemesis.strikes if not strike.verified)
            raise Inconclusive(f"the fault {self._drill.fault} did not bite: {errors}")
        self._say(f"verified after {1000 * (self._recorder.now() - self._struck):.0f} ms")

    async def _fail_over(self) -> None:
        """Watch until the struck groups have living masters and sends are sustained, or the bound passes."""
        struck, seconds = self._nemesis.victims, self._patience()
        watched = [
            group for group in self._topology.groups if any(victim.group == group.name for victim in struck)
        ]
        told: set[str] = set()

        async def waiting_for() -> str | None:
            self._alive()
            for group in watched:
                master = self._sampler.agreed(group.name, struck)
                if master is None:
                    return f"group {group.name} has no living master on which the NameServers agree"
                if group.name not in told:
                    told.add(group.name)
                    self._say(f"master of {group.name} is {master.name} after {self._since_strike()}")
            return (
                None
                if self._load.sustained(self._settings.sustained, self._recorder.now(), self._struck)
                else "sends fail still"
            )

        try:
            await waiting.until("sends sustained again", waiting_for, seconds, interval=INTERVAL)
        except OperationFailed as error:
            # No reason to stop: the checks will judge it, and the heal is due.
            self._say(error.message)
        else:
            self._say(
                f"sends are sustained, {self._since_strike()} on: none failed for {self._settings.sustained:g} s"
            )

    async def _stand_still(self) -> None:
        """Watch until nothing is acknowledged any more, or the bound passes."""

        async def served() -> str | None:
            self._alive()
            silent = self._load.silent(self._settings.standstill, self._recorder.now())
            return None if silent else "sends are acknowledged still"

        try:
            await waiting.until("a standstill", served, self._patience(), interval=INTERVAL)
        except OperationFailed as error:
            self._say(error.message)  # the check will judge it
        else:
            self._say(f"nothing is acknowledged any more, {self._since_strike()} on")

    def _patience(self) -> float:
        """Return how many seconds the fault may stay in force: our heal comes before the dead-man's."""
        times, spent = self._drill.times, self._recorder.now() - self._armed
        return min(times.fail_over, times.deadline - times.hold - MARGIN - spent)

    async def _heal(self) -> None:
        self._say("healing")
        if not await waiting.to_end(self._nemesis.heal):
            raise self._heal_failed()
        fired = [strike.instance.name for strike in self._nemesis.strikes if strike.fired]
        self._say(f"healed and disarmed{f'; the dead-man came first on {fired}' if fired else ''}")

    async def _recover(self, client: Client) -> None:
        async def ailing() -> str | None:
            self._alive()
            seen = status.assess(self._topology, await status.ask(self._topology, client))
            return "; ".join(seen.problems) or None

        started = self._recorder.now()
        try:
            await waiting.until("full recovery", ailing, self._drill.times.recover)
        except OperationFailed as error:
            self._event("fail", error.message)
            self._say(error.message)
        else:
            self._event("ok", None)
            self._say(f"recovered {self._recorder.now() - started:.1f} s after the heal: the cluster is healthy")
            await self._serve(started + self._drill.times.recover - self._recorder.now())

    async def _serve(self, seconds: float) -> None:
        """Let the load run until it has shown that it is served for good, or the bound passes."""

        async def failing() -> str | None:
            self._alive()
            served = self._load.sustained(self._settings.sustained, self._recorder.now(), self._struck)
            return None if served else self._load.trouble()

        try:
            await waiting.until("sends sustained after recovery", failing, seconds, interval=INTERVAL)
        except OperationFailed as error:
            self._say(error.message)  # the check will judge it

    async def _stop_load(self) -> Mapping[str, Instance]:
        """Stop producers, then consumers, then the sampler; return the master of each group."""
        await self._load.stop(self._load.producers, FINISH_WITHIN)

        async def leaderless() -> str | None:
            missing = [group.name for group in self._topology.groups if self._sampler.agreed(group.name) is None]
            return f"none for {', '.join(missing)}" if missing else None

        await waiting.until("a master on which all NameServers agree", leaderless, FLOWS_WITHIN)
        await self._load.stop(self._load.consumers, FINISH_WITHIN)
        masters = {group.name: self._sampler.agreed(group.name) for group in self._topology.groups}
        if self._sampling is not None:
            self._sampling.cancel()
        summaries = [worker.summary for worker in self._load.producers if worker.summary is not None]
        self._say(f"load ended: {account(summaries)}")
        return {name: master for name, master in masters.items() if master is not None}

    async def _read_back(self, client: Client, masters: Mapping[str, Instance]) -> None:
        reader = Reader(
            self._topology,
            client,
            self._topic,
            self._drill.load.queues,
            emit=self._recorder.event,
            now=self._recorder.now,
        )
        told = await reader.read(masters, LEVEL_WITHIN)
        for failure in told.failures:
            self._say(failure)
        self._say(f"read back {told.messages} messages from {told.members} members")

    async def _pass(self, seconds: float) -> None:
        """Let load flow for a while, and see that it does."""
        end = self._recorder.now() + seconds
        while (left := end - self._recorder.now()) > 0:
            self._alive()
            await asyncio.sleep(min(left, INTERVAL))

    def _alive(self) -> None:
        """Make sure that the load and the sampler are at work.

        Raises:
            Inconclusive: a process of the load has died.
        """
        self._load.alive()
        if self._sampling is not None and self._sampling.done():
            self._sampling.result()

    def _since_strike(self) -> str:
        return f"{self._recorder.now() - self._struck:.1f} s"

    def _heal_failed(self) -> HealFailed:
        detail = "\n".join(
            f"{strike.instance.name}: {strike.error}" for strike in self._nemesis.strikes if strike.error
        )
        return HealFailed(
            f"the fault {self._drill.fault} could not be healed; its dead-man heal stays armed",
            detail=detail or None,
            remedy=f"rmqops chaos heal --inventory {self._topology.inventory}",
        )

    def _note(self, step: Step, state: State, note: str) -> None:
        self._journal.write(Entry(step, state, note=note))

    def _event(self, kind: Type, error: str | None) -> None:
        self._recorder.event(Event(self._recorder.now(), PROCESS, "heal", kind, key="recovered", error=error))

    def _hand_in(self, event: Event) -> None:
        """Take an event of the nemesis, whose commands run in a thread."""
        self._loop.call_soon_threadsafe(self._recorder.event, event)

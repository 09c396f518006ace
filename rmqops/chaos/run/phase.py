"""One phase of a drill under way: faults struck together, watched, healed together, and recovered from."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rmqops.chaos.drill import Drill, ScheduledPhase, guard, targets
from rmqops.chaos.history.format import MASTER_ROLE, NEMESIS, RECOVERED, reader_prefix, writer_prefix
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.history.service_windows import GAP
from rmqops.chaos.load.clients.settings import body
from rmqops.chaos.load.workers import Workers
from rmqops.chaos.mechanisms.plan import Aim
from rmqops.chaos.run.client_kills import ClientKills
from rmqops.chaos.run.journal import Journal
from rmqops.chaos.run.nemesis import Nemesis, PlannedStrike
from rmqops.chaos.run.readback import Reader
from rmqops.chaos.run.sampler import RouteSampler
from rmqops.chaos.run.watch import Watch
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.errors import HealFailed, Inconclusive, OperationFailed
from rmqops.model.history import Event, Type
from rmqops.model.topology import Instance, Topology
from rmqops.operations.observe import status
from rmqops.operations.topics import topics
from rmqops.remoting.client import Client
from rmqops.remoting.messages import Message
from rmqops.remoting.outcomes import Acknowledged, Refused
from rmqops.remoting.producer import Producer
from rmqops.remoting.routes import WriteQueue
from rmqops.system import waiting
from rmqops.transport.base import Transport

MARGIN = 5.0
"""Seconds between our heal and the dead-man's, which must not come first."""
INTERVAL = 0.05
STEADY_WITHIN = 10.0
"""Seconds for a load that stumbled while heals were armed to be steady again."""


@dataclass(frozen=True)
class Scene:
    """What every phase of a drill works with."""

    topology: Topology
    drill: Drill
    settings: Bounds
    run: str
    """The run's name; begins the ids of its faults."""
    journal: Journal
    recorder: Recorder
    transports: Callable[[Instance], Transport]
    say: Callable[[str], None]
    load: Workers
    sampler: RouteSampler
    watch: Watch
    clients: tuple[str, ...] = ()
    """Addresses from which the load reaches the cluster."""


class PhaseRun:
    """A phase; :meth:`perform` goes through it, and :meth:`heal` may be awaited at any time."""

    def __init__(self, scene: Scene, step: ScheduledPhase) -> None:
        self._scene = scene
        self._step = step
        self._times = scene.drill.times
        self._loop = asyncio.get_running_loop()
        prefix, told = f"{scene.run}-{step.number}", {"phase": str(step.number), "expects": step.phase.expects}
        self._casualties = ClientKills(
            prefix, told, load=scene.load, journal=scene.journal, recorder=scene.recorder
        )
        self._nemesis = Nemesis(
            prefix,
            told,
            journal=scene.journal,
            emit=self._hand_in,
            now=scene.recorder.now,
            transports=scene.transports,
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
            Inconclusive: there was nobody to strike, a fault did not bite, or the drill's bounds were passed.
            HealFailed: a fault could not be taken away.
            OperationFailed, RemotingError: something else went wrong on the way.
        """
        await self._strike(client)
        watching = {
            "service": self._fail_over,
            "standstill": self._stand_still,
            "reads": lambda: self._read_on(client),
            "anything": self._settle,
        }
        await watching[self._step.phase.expects]()
        await self._scene.watch.rest(self._hold)
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
                    f"{strike.instance.name}: {strike.kind}: {strike.error}"
                    for strike in self._nemesis.strikes
                    if strike.error
                )
                or None,
                remedy=f"rmqops chaos heal --inventory {self._scene.topology.inventory}",
            )

    async def close(self) -> None:
        """Take away what is in force, before the load ends.

        Raises:
            HealFailed: a fault may still be in force.
        """
        self._casualties.close()
        await self.heal()

    async def _strike(self, client: Client) -> None:
        scene, topology = self._scene, self._scene.topology
        seen = status.assess(topology, await status.ask(topology, client))
        if not seen.healthy:
            raise Inconclusive(
                "the cluster fell ill before the strike; nothing was struck", detail="\n".join(seen.problems)
            )
        self._masters = {group.name: scene.sampler.agreed(group.name) for group in topology.groups}
        wanted = [
            PlannedStrike(strike.fault, strike.target, Aim(victim, topology, strike.chosen, clients=scene.clients))
            for strike in self._step.phase.strikes
            # Each begins with the same chance, so that all of a phase mean the same group.
            for victim in targets.resolve(
                strike.target, topology, scene.sampler.masters, random.Random(self._step.seed)
            )
        ]
        guard.limit(topology, scene.drill, [one.aim.instance for one in wanted])
        clients = [strike for strike in self._step.phase.strikes if targets.client(strike.target)]
        self._casualties.choose(clients, random.Random(self._step.seed))
        await waiting.to_end(lambda: self._nemesis.prepare(wanted))
        self._armed = scene.recorder.now()
        await waiting.to_end(lambda: self._nemesis.arm(self._times.deadline))
        if self._step.number == 1:
            await self._steady()
        scene.watch.strike([one.aim.instance for one in wanted])
        for strike in self._step.phase.strikes:
            names = [
                f"{one.aim.instance.name} ({one.aim.instance.address})"
                for one in wanted
                if (one.kind, one.target) == (strike.fault, strike.target)
            ] or [name for one, name in self._casualties.victims if one is strike]
            scene.say(f"strike: {strike.words}, that is {', '.join(names)}")
        self._struck = scene.recorder.now()
        bitten = await waiting.to_end(self._nemesis.strike)
        if not await self._casualties.strike() or not bitten:
            errors = [
                f"{strike.kind}: {strike.error or ''}" for strike in self._nemesis.strikes if not strike.verified
            ]
            raise Inconclusive(f"the fault did not bite: {'; '.join((*errors, *self._casualties.errors))}")
        scene.say(f"verified after {1000 * (scene.recorder.now() - self._struck):.0f} ms")

    async def _steady(self) -> None:
        """Make sure that sends work right before the first strike: arming may take seconds where hosts are busy.

        Raises:
            Inconclusive: they do not, so that what comes could not be told from what was.
        """
        scene = self._scene

        async def unsteady() -> str | None:
            scene.watch.look()
            return None if scene.load.sustained(GAP, scene.recorder.now()) else scene.load.trouble()

        try:
            await waiting.until("a load that is steady at the strike", unsteady, STEADY_WITHIN, interval=INTERVAL)
        except OperationFailed as error:
            raise Inconclusive(f"{error.message}; nothing was struck") from error

    async def _fail_over(self) -> None:
        """Watch until every group has a master on which all agree and sends are sustained, or the bound passes."""
        scene, deaf = self._scene, {victim.name for victim in self._nemesis.victims}
        # Without DLedger nobody is elected: a group that was struck waits for its heal.
        stuck = {victim.group for victim in self._nemesis.victims} & self._unelecting
        groups = (
            [] if deaf.issuperset(scene.sampler.masters) else [one for one in self._masters if one not in stuck]
        )

        async def waiting_for() -> str | None:
            scene.watch.look()
            for name in groups:
                master = scene.sampler.agreed(name, deaf)
                if master is None:
                    return f"group {name} has no master on which the NameServers agree"
                if master != self._masters[name]:
                    self._masters[name] = master
                    scene.say(f"master of {name} is {master.name} after {self._since_strike()}")
            return None if self._served() else "sends fail still"

        if await self._until("sends sustained again", waiting_for, self._patience()):
            scene.say(
                f"sends are sustained, {self._since_strike()} on: none failed for {scene.settings.sustained:g} s"
            )

    @property
    def _unelecting(self) -> set[str]:
        """The groups whose master a person must replace."""
        return {group.name for group in self._scene.topology.groups if group.mode != "dledger"}

    async def _read_on(self, client: Client) -> None:
        """Watch until the other groups serve; then read what the living members of the struck group hold."""
        await self._fail_over()
        scene, struck = self._scene, {victim.name: victim for victim in self._nemesis.victims}
        for group in scene.topology.groups:
            dead = [member for member in group.members if member.name in struck]
            living = [member for member in group.members if member.name not in struck]
            for topic in topics.of_drill(scene.run, scene.drill.load.topics) if dead else ():
                reader = Reader(
                    scene.topology,
                    client,
                    topic,
                    scene.drill.load.queues,
                    emit=scene.recorder.event,
                    now=scene.recorder.now,
                    prefix=reader_prefix(self._step.number),
                    told={MASTER_ROLE: dead[0].text("rocketmq_broker_role")},
                )
                told = await reader.read_each(group, living)
                for failure in told.failures:
                    scene.say(failure)
                names = ", ".join(member.name for member in living)
                scene.say(f"read {told.messages} messages from {names}, while {dead[0].name} is dead")
                for member in living:
                    await self._offer(client, topic, member)

    async def _offer(self, client: Client, topic: str, member: Instance) -> None:
        """Offer a message to a member that is no master, and put on record what it says."""
        recorder, name = self._scene.recorder, f"{writer_prefix(self._step.number)}{member.name}"
        key = f"{name}-{topic}"
        target = WriteQueue(str(member.group), 0, member.address)
        servers = [server.address for server in self._scene.topology.nameservers]
        async with Producer(client, servers, choice=lambda *_: target) as producer:
            outcome = await producer.send(topic, Message(body(key, self._scene.drill.load.size), key))
        kind: Type = "ok"
        reason = None
        if not isinstance(outcome, Acknowledged):
            # Only a broker's own word is a refusal; one that cannot be reached has said nothing.
            refused = isinstance(outcome, Refused) and outcome.code is not None
            kind, reason = "fail" if refused else "info", outcome.reason
        recorder.event(
            Event(
                recorder.now(), name, "probe", kind, topic, member.group, 0,
                key=key, error=reason, address=member.address,
            )
        )  # fmt: skip
        self._scene.say(f"offered a message to {member.name}: {reason or 'it was taken'}")

    async def _stand_still(self) -> None:
        """Watch until nothing is acknowledged any more, or the bound passes."""
        scene = self._scene

        async def served() -> str | None:
            scene.watch.look()
            silent = scene.load.silent(scene.settings.standstill, scene.recorder.now())
            return None if silent else "sends are acknowledged still"

        if await self._until("a standstill", served, self._patience()):
            scene.say(f"nothing is acknowledged any more, {self._since_strike()} on")

    async def _settle(self) -> None:
        """Wait for nothing: the phase holds its faults for a time, whatever the cluster makes of them."""

    def _patience(self) -> float:
        """Return how many seconds the faults may stay in force: our heal comes before the dead-man's."""
        fail_over, spent = self._step.phase.fail_over, self._scene.recorder.now() - self._armed
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
        scene = self._scene
        return scene.load.sustained(scene.settings.sustained, scene.recorder.now(), self._struck)

    async def _heal(self) -> None:
        self._scene.say("healing")
        await self.heal()
        if not await self._casualties.heal():
            raise Inconclusive(
                "a new life of a client that was killed does not do its work",
                detail="\n".join(self._casualties.errors),
            )
        fired = [strike.instance.name for strike in self._nemesis.strikes if strike.fired]
        self._scene.say(f"healed and disarmed{f'; the dead-man came first on {fired}' if fired else ''}")

    async def _recover(self, client: Client) -> None:
        scene = self._scene

        async def ailing() -> str | None:
            scene.watch.look()
            seen = status.assess(scene.topology, await status.ask(scene.topology, client))
            return "; ".join(seen.problems) or None

        async def failing() -> str | None:
            scene.watch.look()
            return None if self._served() else scene.load.trouble()

        started = scene.recorder.now()
        try:
            await waiting.until("full recovery", ailing, self._times.recover)
        except OperationFailed as error:
            self._event("fail", error.message)
            scene.say(error.message)
            return
        self._event("ok", None)
        scene.watch.healed()
        scene.say(f"recovered {scene.recorder.now() - started:.1f} s after the heal: the cluster is healthy")
        left = started + self._times.recover - scene.recorder.now()
        await self._until("sends sustained after recovery", failing, left)

    async def _until(self, what: str, look: Callable[[], Awaitable[str | None]], seconds: float) -> bool:
        """Wait; when the bound passes, say so and go on: the checks judge it, and the heal is due."""
        try:
            await waiting.until(what, look, seconds, interval=INTERVAL)
        except OperationFailed as error:
            self._scene.say(error.message)
            return False
        return True

    def _since_strike(self) -> str:
        return f"{self._scene.recorder.now() - self._struck:.1f} s"

    def _event(self, kind: Type, error: str | None) -> None:
        recorder = self._scene.recorder
        recorder.event(Event(recorder.now(), NEMESIS, "heal", kind, key=RECOVERED, error=error))

    def _hand_in(self, event: Event) -> None:
        """Take an event of the nemesis, whose commands run in a thread."""
        self._loop.call_soon_threadsafe(self._scene.recorder.event, event)

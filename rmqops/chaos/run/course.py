"""The course of a drill, from the topic to the read-back: the one loop with effects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from rmqops.chaos.drill import Drill, scheduled, targets
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.load.clients.drivers import Driver
from rmqops.chaos.load.hosts.place import Place
from rmqops.chaos.load.roster import pace, process_settings
from rmqops.chaos.load.workers import FLOWS_WITHIN, Workers
from rmqops.chaos.report import words
from rmqops.chaos.run import leader_terms
from rmqops.chaos.run.journal import Journal, JournalEntry, JournalState, JournalStep
from rmqops.chaos.run.phase import INTERVAL, PhaseRun, Scene
from rmqops.chaos.run.readback import Reader
from rmqops.chaos.run.sampler import RouteSampler
from rmqops.chaos.run.watch import Watch
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.errors import Inconclusive, OperationFailed, RemotingError, RmqopsError
from rmqops.model.commands import Result
from rmqops.model.topology import Instance, Topology
from rmqops.operations.topics import consumer_groups, topics
from rmqops.remoting.client import Client
from rmqops.system import waiting
from rmqops.transport.base import Transport

LEVEL_WITHIN = 60.0
FINISH_WITHIN = 30.0
"""Seconds for a process of the load to finish what is under way: time-outs and the rest of each queue."""


class Course:
    """One drill under way; :meth:`perform` goes through its phases and :meth:`clean` undoes what is left."""

    def __init__(
        self,
        topology: Topology,
        drill: Drill,
        settings: Bounds,
        *,
        run: str,
        seed: int,
        keep_topic: bool,
        journal: Journal,
        recorder: Recorder,
        transports: Callable[[Instance], Transport],
        say: Callable[[str], None],
        driver: Driver,
        clients: tuple[str, ...] = (),
        places: Sequence[Place] = (),
    ) -> None:
        self._topology = topology
        self._drill = drill
        self._schedule = scheduled(drill, seed)
        self._keep_topic = keep_topic
        self._journal = journal
        self._recorder = recorder
        self._say = say
        self._topics = topics.of_drill(run, drill.load.topics)
        self._made: list[str] = []
        """The topics that may be there."""
        self._load = Workers(recorder, driver, places)
        self._shares = driver.shares
        self._sampler = RouteSampler(topology, recorder.event, recorder.now)
        self._sampling = asyncio.ensure_future(self._sampler.run())
        self._watch = Watch(
            drill.abort,
            self._load,
            self._sampler,
            self._sampling,
            [group.name for group in topology.groups],
            recorder.now,
            settings.agreement,
        )
        self._scene = Scene(
            topology, drill, settings, run, journal, recorder, transports, say,
            self._load, self._sampler, self._watch, clients,
        )  # fmt: skip
        self._pace: dict[str, str] = {}
        self._phase: PhaseRun | None = None
        """The one under way, or the last one."""

    @property
    def client(self) -> Mapping[str, str]:
        """What the load's producers say of their client and, once they have ended, of their pace."""
        return {**self._load.client, **self._pace}

    async def perform(self) -> None:
        """Go through all phases.

        Raises:
            Inconclusive: the load died or did not flow, nobody was there to strike, or a bound was passed.
            HealFailed: a fault could not be taken away.
            OperationFailed, RemotingError: something else went wrong on the way.
        """
        async with Client() as client:
            await self._make_topics(client)
            await self._start_load()
            for step in self._schedule:
                await self._watch.rest(step.pause)
                if len(self._schedule) > 1:
                    self._say(f"phase {step.number} of {len(self._schedule)}")
                self._phase = PhaseRun(self._scene, step)
                await self._phase.perform(client)
            await self._watch.rest(self._drill.times.after)
            masters = await self._stop_load()
            await self._read_back(client, masters)

    async def clean(self) -> None:
        """Heal what is in force, end the load, delete the topic; to be awaited on every way out.

        Raises:
            HealFailed: a fault may still be in force.
            OperationFailed: the topic could not be deleted.
        """
        try:
            if self._phase is not None:
                await self._phase.close()
        finally:
            ends = await asyncio.gather(self._load.close(), return_exceptions=True)
            self._sampling.cancel()
            await asyncio.gather(self._sampling, return_exceptions=True)
        if self._made and not self._keep_topic:
            await self._delete_topics()
        for end in ends:
            if end is not None:
                raise end

    async def _make_topics(self, client: Client) -> None:
        for topic in self._topics:
            self._note("topic", "intent", topic)
            self._made.append(topic)
        load = self._drill.load
        await asyncio.gather(*(topics.create(self._topology, client, one, load.queues) for one in self._topics))
        for topic in self._topics:
            for group in consumer_groups.names(topic, load.groups) if self._shares else ():
                await consumer_groups.create(self._topology, client, group)
            self._note("topic", "done", topic)
            self._say(f"topic {topic}: every member and every NameServer knows it")

    async def _delete_topics(self) -> None:
        left: list[str] = []
        for topic in tuple(self._made):
            try:
                async with Client() as client:
                    if self._shares:
                        await consumer_groups.delete(self._topology, client, topic)
                    await topics.delete(self._topology, client, topic)
            except (OperationFailed, RemotingError) as error:
                self._note("untopic", "failed", error.message)
                left.append(f"the topic {topic} could not be deleted: {error.message}")
            else:
                self._note("untopic", "done", topic)
                self._made.remove(topic)
        if left:
            raise OperationFailed(
                "; ".join(left), remedy="once the cluster is healthy: rmqops chaos heal with the run's directory"
            )

    async def _start_load(self) -> None:
        """Start the load and let it run until it has been steady for the time before the strike."""
        load, before = self._drill.load, self._drill.times.before
        struck = [targets.client(strike.target) for strike in self._drill.strikes]
        mortal = any(found and found[0] == "producer" for found in struck)
        await self._load.start(
            process_settings(self._topology, load, self._topics, self._recorder.epoch, mortal=mortal)
        )

        async def unsteady() -> str | None:
            self._watch.look()
            silent = [one.name for one in self._load.consumers if not one.count.received]
            if silent:
                return f"{', '.join(silent)} received nothing"
            return None if self._load.sustained(before, self._recorder.now()) else self._load.trouble()

        heartbeat = load.client.heartbeat / 1000 if self._shares else 0.0
        try:
            within = before + FLOWS_WITHIN + heartbeat
            await waiting.until("a steady load", unsteady, within, interval=INTERVAL)
        except OperationFailed as error:
            raise Inconclusive(f"{error.message}; nothing was struck", remedy="try a lower --rate") from error
        total = load.producers * load.rate
        pace = f"{total:g} messages/s in all" if total else "as fast as they can"
        self._say(f"steady load for {before:g} s: {load.producers} producers, {pace}")
        self._say(f"client {words.client(self.client)}")

    async def _stop_load(self) -> Mapping[str, Instance]:
        """Stop producers, then consumers, then the sampler; return the master of each group."""
        await self._load.stop(self._load.producers, FINISH_WITHIN)

        masters: dict[str, Instance] = {}

        async def leaderless() -> str | None:
            now = {group.name: self._sampler.agreed(group.name) for group in self._topology.groups}
            masters.update({name: master for name, master in now.items() if master is not None})
            missing = [name for name, master in now.items() if master is None]
            return f"none for {', '.join(missing)}" if missing else None

        await waiting.until("a master on which all NameServers agree", leaderless, FLOWS_WITHIN)
        await self._load.stop(self._load.consumers, FINISH_WITHIN)
        self._sampling.cancel()
        self._pace = pace([worker.summary for worker in self._load.producers if worker.summary is not None])
        self._say(f"load ended: {', '.join(f'{name} {told}' for name, told in self._pace.items())}")
        return masters

    async def _read_back(self, client: Client, masters: Mapping[str, Instance]) -> None:
        count = 0
        for topic in self._topics:
            reader = Reader(
                self._topology,
                client,
                topic,
                self._drill.load.queues,
                emit=self._recorder.event,
                now=self._recorder.now,
            )
            told = await reader.read(masters, LEVEL_WITHIN)
            for failure in told.failures:
                self._say(failure)
            count += told.messages
        self._say(f"read back {count} messages from {told.members} members")
        await self._ask_for_leaders()

    async def _ask_for_leaders(self) -> None:
        """Put on record who led in which term."""
        members = [one for group in self._topology.groups if group.mode == "dledger" for one in group.members]

        def ask(member: Instance) -> Result | None:
            try:
                return self._scene.transports(member).run(leader_terms.ask(member))
            except RmqopsError:
                return None

        answers = await asyncio.gather(*(asyncio.to_thread(ask, member) for member in members))
        for member, answer in zip(members, answers, strict=True):
            for event in leader_terms.leader_events(member, answer, self._recorder.now()):
                self._recorder.event(event)

    def _note(self, step: JournalStep, state: JournalState, note: str) -> None:
        self._journal.write(JournalEntry(step, state, note=note))

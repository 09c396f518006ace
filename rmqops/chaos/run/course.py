"""The course of a drill, from the topic to the read-back: the one loop with effects."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from rmqops.chaos.drill import scheduled, targets
from rmqops.chaos.history import run_record
from rmqops.chaos.load.roster import client_words, pace, process_settings
from rmqops.chaos.load.workers import FLOWS_WITHIN, Workers
from rmqops.chaos.run import leader_terms
from rmqops.chaos.run.context import Run
from rmqops.chaos.run.journal import JournalEntry, JournalState, JournalStep
from rmqops.chaos.run.offset_sampler import OffsetSampler
from rmqops.chaos.run.phase import INTERVAL, PhaseRun
from rmqops.chaos.run.readback import Reader
from rmqops.chaos.run.sampler import RouteSampler
from rmqops.chaos.run.watch import Watch
from rmqops.errors import Inconclusive, OperationFailed, RemotingError, RmqopsError
from rmqops.model.commands import Result
from rmqops.model.topology import Instance
from rmqops.operations.topics import consumer_groups, topics
from rmqops.remoting.admin import Admin
from rmqops.remoting.client import Client
from rmqops.system import waiting

LEVEL_WITHIN = 60.0
FINISH_WITHIN = 30.0
"""Seconds for a process of the load to finish what is under way: time-outs and the rest of each queue."""


class Course:
    """The loop of one run; :meth:`perform` goes through its phases and :meth:`clean` undoes what is left."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._schedule = scheduled(run.drill, run.request.seed)
        self._created: list[str] = []
        """The topics that may be there."""
        self._load = Workers(run.recorder, run.ready.survey.driver, run.ready.places)
        self._sampler = RouteSampler(run.topology, run.recorder.event, run.now, run.environment.clients)
        self._sampler.start()
        self._offsets = OffsetSampler(
            run.topology, run.subscriptions.values(), run.recorder.event, run.now, run.environment.clients
        )
        groups = [group.name for group in run.topology.groups]
        self._watch = Watch(run.drill.abort, groups, self._load, self._sampler, run.now, run.bounds.agreement)
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
        run = self._run
        async with run.environment.clients() as client:
            await self._make_topics(client)
            await self._start_load()
            for step in self._schedule:
                await self._watch.rest(step.pause)
                if len(self._schedule) > 1:
                    run.say(f"phase {step.number} of {len(self._schedule)}")
                self._phase = PhaseRun(run, self._watch, step)
                await self._phase.perform(client)
            await self._watch.rest(run.drill.times.after)
            masters = await self._stop_load(client)
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
            await self._offsets.close()
            await self._sampler.close()
        if self._created and not self._run.request.keep_topic:
            await self._delete_topics()
        for end in ends:
            if end is not None:
                raise end

    async def _make_topics(self, client: Client) -> None:
        run, load = self._run, self._run.drill.load
        for topic in run.topics:
            self._note("topic", "intent", topic)
            self._created.append(topic)
        await asyncio.gather(*(topics.create(run.topology, client, topic, load.queues) for topic in run.topics))
        for topic in run.topics:
            for group in consumer_groups.names(topic, load.groups) if self._load.shares else ():
                await consumer_groups.create(run.topology, client, group)
            self._note("topic", "done", topic)
            run.say(f"topic {topic}: every member and every NameServer knows it")

    async def _delete_topics(self) -> None:
        run, left = self._run, []
        for topic in tuple(self._created):
            try:
                async with run.environment.clients() as client:
                    if self._load.shares:
                        await consumer_groups.delete(run.topology, client, topic)
                    await topics.delete(run.topology, client, topic)
            except (OperationFailed, RemotingError) as error:
                self._note("untopic", "failed", error.message)
                left.append(f"the topic {topic} could not be deleted: {error.message}")
            else:
                self._note("untopic", "done", topic)
                self._created.remove(topic)
        if left:
            raise OperationFailed(
                "; ".join(left), remedy="once the cluster is healthy: rmqops chaos heal with the run's directory"
            )

    async def _start_load(self) -> None:
        """Start the load and let it run until it has been steady for the time before the strike."""
        run, load, before = self._run, self._run.drill.load, self._run.drill.times.before
        clients = [targets.client(strike.target) for strike in run.drill.strikes]
        mortal = any(client and client[0] == "producer" for client in clients)
        self._offsets.start()
        await self._load.start(process_settings(run.topology, load, run.topics, run.recorder.epoch, mortal=mortal))

        async def unsteady() -> str | None:
            self._watch.look()
            silent = [consumer.name for consumer in self._load.consumers if not consumer.count.received]
            if silent:
                return f"{', '.join(silent)} received nothing"
            return None if self._load.sustained(before, run.now()) else self._load.trouble()

        heartbeat = load.client.heartbeat / 1000 if self._load.shares else 0.0
        try:
            within = before + FLOWS_WITHIN + heartbeat
            await waiting.until("a steady load", unsteady, within, interval=INTERVAL)
        except OperationFailed as error:
            raise Inconclusive(f"{error.message}; nothing was struck", remedy="try a lower --rate") from error
        total = load.producers * load.rate
        speed = f"{total:g} messages/s in all" if total else "as fast as they can"
        run.say(f"steady load for {before:g} s: {load.producers} producers, {speed}")
        run.say(f"client {client_words(self.client)}")

    async def _stop_load(self, client: Client) -> Mapping[str, Instance]:
        """Stop producers, then consumers, then the sampler; return the master of each group.

        A broker acknowledges what no queue shows yet; consumers read to the end that their queues show.
        """
        await self._load.stop(self._load.producers, FINISH_WITHIN)

        masters: dict[str, Instance] = {}

        async def unsettled() -> str | None:
            now = {group.name: self._sampler.agreed(group.name) for group in self._run.topology.groups}
            masters.update({name: master for name, master in now.items() if master is not None})
            missing = [name for name, master in now.items() if master is None]
            if missing:
                return f"none for {', '.join(missing)}"
            try:
                answers = [await Admin(client).runtime_info(master.address) for master in masters.values()]
            except RemotingError as error:
                return str(error)
            behind = sum(max(0, answer.dispatch_behind) for answer in answers)
            return f"{behind} bytes of its log are in no queue yet" if behind else None

        await waiting.until("one master for all NameServers, its log in its queues", unsettled, FLOWS_WITHIN)
        self._offsets.check()
        await self._load.stop(self._load.consumers, FINISH_WITHIN + self._run.request.bounds.catch_up)
        await self._offsets.close()
        for process, lines in self._load.lines.items():
            self._run.recorder.event(run_record.wrote(self._run.now(), process, lines))
        await self._sampler.close()
        self._pace = pace([worker.summary for worker in self._load.producers if worker.summary is not None])
        self._run.say(f"load ended: {', '.join(f'{name} {value}' for name, value in self._pace.items())}")
        return masters

    async def _read_back(self, client: Client, masters: Mapping[str, Instance]) -> None:
        run, messages = self._run, 0
        for topic in run.topics:
            reader = Reader(
                run.topology, client, topic, run.drill.load.queues, emit=run.recorder.event, now=run.now
            )
            answer = await reader.read(masters, LEVEL_WITHIN)
            for failure in answer.failures:
                run.say(failure)
            messages += answer.messages
        run.say(f"read back {messages} messages from {answer.members} members")
        await self._ask_for_leaders()

    async def _ask_for_leaders(self) -> None:
        """Put on record who led in which term."""
        run = self._run
        members = [each for group in run.topology.groups if group.mode == "dledger" for each in group.members]

        def ask(member: Instance) -> Result | None:
            try:
                return run.environment.transports(member).run(leader_terms.ask(member))
            except RmqopsError:
                return None

        answers = await asyncio.gather(*(asyncio.to_thread(ask, member) for member in members))
        for member, answer in zip(members, answers, strict=True):
            for event in leader_terms.leader_events(member, answer, run.now()):
                run.recorder.event(event)

    def _note(self, step: JournalStep, state: JournalState, note: str) -> None:
        self._run.journal.write(JournalEntry(step, state, note=note))

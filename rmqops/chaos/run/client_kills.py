"""Processes of the load that a drill kills, and the new lives that take their places.

They are ours, on this machine or a client's host, and die with the run, so they need no dead-man; the journal
names them, too.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rmqops.chaos.drill import Strike
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.load.clients.settings import ConsumerSettings, ProducerSettings
from rmqops.chaos.load.workers import Worker, Workers
from rmqops.chaos.run.journal import Journal, JournalEntry, JournalState, JournalStep
from rmqops.chaos.run.nemesis import PROCESS
from rmqops.chaos.verdicts.checks.takeover import MEMBERS
from rmqops.errors import Inconclusive
from rmqops.model.history import Event, Op, Type

FLOWS_WITHIN = 60.0
"""Seconds for a new life to send or receive: a JVM starts, a client looks for its route, a group shares anew."""
INTERVAL = 0.05


@dataclass
class _KilledClient:
    """One process that is to die, or has."""

    fault: str
    strike: Strike
    worker: Worker
    injected: bool = False
    """It was killed, and nobody has taken its place."""
    error: str | None = None


class ClientKills:
    """Those of one phase.

    Args:
        prefix: Begins the ids of its faults: the run's name, and the phase's number.
        phase: The phase's number and what it expects, for the history.
        load: Whose processes they are.
        journal: Where every step is written before it is done.
        recorder: Takes the events.
    """

    def __init__(
        self, prefix: str, phase: Mapping[str, str], *, load: Workers, journal: Journal, recorder: Recorder
    ) -> None:
        self._prefix = prefix
        self._phase = phase
        self._load = load
        self._journal = journal
        self._recorder = recorder
        self._chosen: list[_KilledClient] = []

    def choose(self, strikes: Sequence[Strike], chance: random.Random) -> None:
        """Take those that the strikes mean now; where one leaves a choice, ``chance`` decides.

        Raises:
            Inconclusive: nobody of that name lives.
        """
        for strike in strikes:
            taken = {one.worker.name for one in self._chosen}
            living = [
                worker
                for worker in self._load.living
                if worker.name not in taken and strike.target in (worker.place, worker.place.partition("-")[0])
            ]
            if not living:
                raise Inconclusive(f"no process of the load is a {strike.target}, so there is none to strike")
            fault = f"{self._prefix}-client-{len(self._chosen) + 1}"
            self._chosen.append(_KilledClient(fault, strike, chance.choice(living)))

    @property
    def told(self) -> Sequence[tuple[Strike, str]]:
        """Each strike and whom it means, in words."""
        return [(one.strike, f"{one.worker.name} ({_host_of(one.worker)})") for one in self._chosen]

    @property
    def errors(self) -> Sequence[str]:
        """What went wrong, in words."""
        return [f"{one.strike.fault} {one.worker.name}: {one.error}" for one in self._chosen if one.error]

    async def strike(self) -> bool:
        """Kill them and tell whether the kernel says of each that it died of that."""
        for one in self._chosen:
            self._note(one, "inject", "intent")
            one.injected = True
            self._event(one, "fault", "invoke")
            code = await self._load.kill(one.worker)
            one.error = None if code == -signal.SIGKILL else f"it ended with {code} before it was killed"
            self._note(one, "verify", "failed" if one.error else "done", one.error)
            self._event(one, "fault", "fail" if one.error else "ok")
        return not self.errors

    async def heal(self) -> bool:
        """Start a new life for each, and tell whether all of them send or receive."""
        return all(await asyncio.gather(*(self._replace(one) for one in self._chosen if one.injected)))

    def close(self) -> None:
        """Be told that the load ends: nobody needs a new life any more."""
        for one in self._chosen:
            if one.injected:
                one.injected = False
                self._event(one, "heal", "invoke")
                self._event(one, "heal", "ok")

    async def _replace(self, one: _KilledClient) -> bool:
        self._note(one, "heal", "intent")
        self._event(one, "heal", "invoke")
        again = await self._load.replace(one.worker)
        loop = asyncio.get_running_loop()
        end = loop.time() + FLOWS_WITHIN
        sends = isinstance(again.settings, ProducerSettings)
        while not (again.count.acknowledged if sends else again.count.received):
            self._load.alive()
            if loop.time() >= end:
                one.error = f"its new life, {again.name}, did nothing for {FLOWS_WITHIN:g} s"
                break
            await asyncio.sleep(INTERVAL)
        self._note(one, "healed", "failed" if one.error else "done", one.error or again.name)
        self._event(one, "heal", "fail" if one.error else "ok")
        one.injected = one.error is not None
        return not one.injected

    def _note(self, one: _KilledClient, step: JournalStep, state: JournalState, note: str | None = None) -> None:
        self._journal.write(JournalEntry(step, state, one.fault, one.strike.fault, one.worker.name, note=note))

    def _event(self, one: _KilledClient, op: Op, kind: Type) -> None:
        self._recorder.event(
            Event(
                self._recorder.now(),
                PROCESS,
                op,
                kind,
                key=one.strike.fault,
                error=one.error if kind == "fail" else None,
                value={
                    "target": one.strike.target,
                    "instance": one.worker.name,
                    "address": _host_of(one.worker),
                    **self._members(one.worker),
                    **self._phase,
                },
            )
        )

    def _members(self, worker: Worker) -> dict[str, str]:
        """Name the others of a consumer's group, if its like share queues as one."""
        if not self._load.shares or not isinstance(worker.settings, ConsumerSettings):
            return {}
        others = [
            one.name
            for one in self._load.consumers
            if isinstance(one.settings, ConsumerSettings) and one.settings.group == worker.settings.group
        ]
        return {MEMBERS: ",".join(name for name in others if name != worker.name)}


def _host_of(worker: Worker) -> str:
    return f"pid {worker.process.pid}" + (f" on {worker.where.name}" if worker.where.name else "")

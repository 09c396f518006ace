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
from rmqops.chaos.history.format import ADDRESS, INSTANCE, MEMBERS, NEMESIS, TARGET
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.load.clients.settings import ConsumerSettings, ProducerSettings
from rmqops.chaos.load.worker import Worker
from rmqops.chaos.load.workers import FLOWS_WITHIN, Workers
from rmqops.chaos.run.journal import Journal, JournalEntry, JournalState, JournalStep
from rmqops.errors import Inconclusive, OperationFailed
from rmqops.model.history import Event, Op, Type
from rmqops.system import waiting

INTERVAL = 0.05
"""Seconds between two looks at what a new life has done."""


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
        flows_within: Seconds for a new life to send or receive.
    """

    def __init__(
        self,
        prefix: str,
        phase: Mapping[str, str],
        *,
        load: Workers,
        journal: Journal,
        recorder: Recorder,
        flows_within: float = FLOWS_WITHIN,
    ) -> None:
        self._prefix = prefix
        self._phase = phase
        self._load = load
        self._journal = journal
        self._recorder = recorder
        self._flows_within = flows_within
        self._chosen: list[_KilledClient] = []

    def choose(self, strikes: Sequence[Strike], chance: random.Random) -> None:
        """Take those that the strikes mean now; where one leaves a choice, ``chance`` decides.

        Raises:
            Inconclusive: nobody of that name lives.
        """
        for strike in strikes:
            chosen = {victim.worker.name for victim in self._chosen}
            living = [
                worker
                for worker in self._load.living
                if worker.name not in chosen and worker.client_name.is_meant_by(strike.target)
            ]
            if not living:
                raise Inconclusive(f"no process of the load is a {strike.target}, so there is none to strike")
            fault = f"{self._prefix}-client-{len(self._chosen) + 1}"
            self._chosen.append(_KilledClient(fault, strike, chance.choice(living)))

    @property
    def victims(self) -> Sequence[tuple[Strike, str]]:
        """Each strike and whom it means, in words."""
        return [(victim.strike, f"{victim.worker.name} ({_host_of(victim.worker)})") for victim in self._chosen]

    @property
    def errors(self) -> Sequence[str]:
        """What went wrong, in words."""
        return [
            f"{victim.strike.fault} {victim.worker.name}: {victim.error}"
            for victim in self._chosen
            if victim.error
        ]

    async def strike(self) -> bool:
        """Kill them and tell whether the kernel says of each that it died of that."""
        for victim in self._chosen:
            self._note(victim, "inject", "intent")
            victim.injected = True
            self._event(victim, "fault", "invoke")
            code = await self._load.kill(victim.worker)
            victim.error = None if code == -signal.SIGKILL else f"it ended with {code} before it was killed"
            self._note(victim, "verify", "failed" if victim.error else "done", victim.error)
            self._event(victim, "fault", "fail" if victim.error else "ok")
        return not self.errors

    async def heal(self) -> bool:
        """Start a new life for each, and tell whether all of them send or receive."""
        return all(await asyncio.gather(*(self._replace(victim) for victim in self._chosen if victim.injected)))

    def close(self) -> None:
        """Be told that the load ends: nobody needs a new life any more."""
        for victim in self._chosen:
            if victim.injected:
                victim.injected = False
                self._event(victim, "heal", "invoke")
                self._event(victim, "heal", "ok")

    async def _replace(self, victim: _KilledClient) -> bool:
        self._note(victim, "heal", "intent")
        self._event(victim, "heal", "invoke")
        again = await self._load.replace(victim.worker)

        async def idle() -> str | None:
            if again.count.acknowledged if isinstance(again.settings, ProducerSettings) else again.count.received:
                return None
            self._load.alive()
            return "it did nothing"

        try:
            await waiting.until(again.name, idle, self._flows_within, interval=INTERVAL)
        except OperationFailed:
            victim.error = f"its new life, {again.name}, did nothing for {self._flows_within:g} s"
        self._note(victim, "healed", "failed" if victim.error else "done", victim.error or again.name)
        self._event(victim, "heal", "fail" if victim.error else "ok")
        victim.injected = victim.error is not None
        return not victim.injected

    def _note(
        self, victim: _KilledClient, step: JournalStep, state: JournalState, note: str | None = None
    ) -> None:
        self._journal.write(
            JournalEntry(step, state, victim.fault, victim.strike.fault, victim.worker.name, note=note)
        )

    def _event(self, victim: _KilledClient, op: Op, kind: Type) -> None:
        self._recorder.event(
            Event(
                self._recorder.now(),
                NEMESIS,
                op,
                kind,
                key=victim.strike.fault,
                error=victim.error if kind == "fail" else None,
                value={
                    TARGET: victim.strike.target,
                    INSTANCE: victim.worker.name,
                    ADDRESS: _host_of(victim.worker),
                    **self._members(victim.worker),
                    **self._phase,
                },
            )
        )

    def _members(self, worker: Worker) -> dict[str, str]:
        """Name the others of a consumer's group, if its like share queues as one."""
        if not self._load.shares or not isinstance(worker.settings, ConsumerSettings):
            return {}
        others = [
            other.name
            for other in self._load.consumers
            if isinstance(other.settings, ConsumerSettings) and other.settings.group == worker.settings.group
        ]
        return {MEMBERS: ",".join(name for name in others if name != worker.name)}


def _host_of(worker: Worker) -> str:
    return f"pid {worker.process.pid}" + (f" on {worker.where.name}" if worker.where.name else "")

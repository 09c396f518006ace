"""Put faults in force and take them away again: the journal first, the dead-man heal second, the fault third."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rmqops.chaos import faults
from rmqops.chaos.history.format import ADDRESS, INSTANCE, NEMESIS, TARGET
from rmqops.chaos.mechanisms import deadman
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan
from rmqops.chaos.run.journal import Journal, JournalEntry, JournalState, JournalStep
from rmqops.chaos.run.strike_plan import PlannedStrike
from rmqops.errors import LoginRefused, OperationFailed, PreflightFailed, RmqopsError
from rmqops.model.commands import Command, Result
from rmqops.model.history import Event, Op, Type
from rmqops.model.topology import Instance
from rmqops.transport.base import Transport

HEALING: frozenset[JournalStep] = frozenset({"heal", "healed", "disarm"})
AGAIN = 0.5
"""Seconds between two tries to reach a host that is away."""


@dataclass
class FaultInForce:
    """One fault on one instance, and how far it has come."""

    kind: str
    target: str
    """The drill's word for whom it strikes."""
    aim: Aim
    plan: FaultPlan
    armed: bool = False
    """A dead-man heal may lie on the host."""
    injected: bool = False
    """The fault may be in force."""
    verified: bool = False
    error: str | None = None
    """What went wrong last."""
    fired: bool = False
    """The dead-man heal came before ours."""

    @property
    def fault(self) -> str:
        """Its id, unique on the host."""
        return self.aim.fault

    @property
    def instance(self) -> Instance:
        """Whom it strikes."""
        return self.aim.instance


class Nemesis:
    """The faults of one phase, in force side by side.

    Its methods run commands and so block; they are called from one thread at a time.

    Args:
        prefix: Begins the ids of its faults: the run's name, and the phase's number.
        phase: The phase's number and what it expects, for the history.
        journal: Where every step is written before it is done.
        emit: Takes the events for the history.
        now: Seconds since the run's start.
        transports: How hosts are reached.
        pause: Waits between two tries to reach a host that is away.
    """

    def __init__(
        self,
        prefix: str,
        phase: Mapping[str, str],
        *,
        journal: Journal,
        emit: Callable[[Event], None],
        now: Callable[[], float],
        transports: Callable[[Instance], Transport],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._prefix = prefix
        self._phase = phase
        self._journal = journal
        self._emit = emit
        self._now = now
        self._transports = transports
        self._pause = pause
        self.strikes: list[FaultInForce] = []

    @property
    def victims(self) -> tuple[Instance, ...]:
        """The instances that are to be struck, or were, each once."""
        return tuple({strike.instance.name: strike.instance for strike in self.strikes}.values())

    def prepare(self, planned: Sequence[PlannedStrike]) -> None:
        """Find out, changing nothing, that each fault is possible on its victim.

        The preflight (:func:`rmqops.chaos.run.preflight.possible`) has asked the same of everybody whom the
        target could mean. Whom it does mean, who leads for instance, is known only now, and what a fault's plan
        takes from its probe, such as the pid of the process, must be as it is at the strike.

        Raises:
            PreflightFailed: one is not.
        """
        for strike in planned:
            fault = faults.find(strike.kind)
            aim = replace(strike.aim, fault=f"{self._prefix}-{len(self.strikes) + 1}")
            probe = self._transports(aim.instance).run(faults.probe(strike.kind, aim))
            if not probe.ok:
                raise PreflightFailed(
                    f"{aim.instance.name}: the fault {strike.kind} is not possible there; nothing was struck",
                    detail=probe.stderr.strip() or probe.stdout.strip() or None,
                )
            self.strikes.append(FaultInForce(strike.kind, strike.target, aim, fault.plan(aim, probe.stdout)))

    def arm(self, deadline: float) -> None:
        """Arm the heal of every prepared strike on its host, to fire after ``deadline`` seconds.

        Raises:
            OperationFailed: one could not be armed; then nothing may be injected.
        """
        for strike in self.strikes:
            self._note(strike, "heal-plan", strike.plan.cure)
            strike.armed = True
            if not self._do(strike, "arm", deadman.arm(strike.instance, strike.fault, strike.plan.cure, deadline)):
                raise OperationFailed(
                    f"{strike.instance.name}: the heal could not be armed, so nothing was struck",
                    detail=strike.error,
                )

    def strike(self) -> bool:
        """Inject every fault and tell whether all of them were verified."""
        for strike in self.strikes:
            strike.injected = True
            self._event(strike, "fault", "invoke")
            strike.verified = self._do(strike, "inject", strike.plan.inject) and self._do(
                strike, "verify", strike.plan.verify
            )
            self._event(strike, "fault", "ok" if strike.verified else "fail")
        return all(strike.verified for strike in self.strikes)

    def heal(self) -> bool:
        """Take every fault away, make sure of it, and disarm its dead-man heal; tell whether all that worked.

        What could not be healed stays armed. May be called again, and does nothing where nothing is left to do.
        """
        for strike in self.strikes:
            if strike.injected:
                self._event(strike, "heal", "invoke")
                done = self._do(strike, "heal", strike.plan.heal) and self._do(
                    strike, "healed", strike.plan.healed
                )
                self._event(strike, "heal", "ok" if done else "fail")
                strike.injected = not done
            if strike.armed and not strike.injected:
                strike.armed = not self._do(strike, "disarm", deadman.disarm(strike.instance, strike.fault))
        return not any(strike.injected or strike.armed for strike in self.strikes)

    def _do(self, strike: FaultInForce, step: JournalStep, command: Command) -> bool:
        """Journal an act, do it, journal what came of it."""
        self._note(strike, step, command)
        try:
            result = self._run(strike, step, command)
        except RmqopsError as error:
            output, ok = error.message, False
        else:
            output, ok = (result.stdout if result.ok else result.stderr or result.stdout).strip(), result.ok
        strike.error = None if ok else output
        strike.fired = strike.fired or (step == "disarm" and ok and output == "gone")
        state: JournalState = "done" if ok else "failed"
        self._write(
            JournalEntry(step, state, strike.fault, strike.kind, strike.instance.name, note=output[-2000:])
        )
        return ok

    def _run(self, strike: FaultInForce, step: JournalStep, command: Command) -> Result:
        """Run a command on the victim's host; again and again where the fault takes the host away.

        A host that goes down or comes up refuses logins, and a command that it cut off may seem to hang. An
        injection is never tried again.
        """
        end = self._now() + (strike.plan.away if step in HEALING or step == "verify" else 0)
        while True:
            try:
                return self._transports(strike.instance).run(command)
            except (OperationFailed, LoginRefused):
                if self._now() >= end:
                    raise
                self._pause(AGAIN)

    def _note(self, strike: FaultInForce, step: JournalStep, command: Command) -> None:
        where = strike.instance.machine if step == "heal-plan" else None
        self._write(
            JournalEntry(
                step, "intent", strike.fault, strike.kind, strike.instance.name, command.argv, machine=where
            )
        )

    def _write(self, entry: JournalEntry) -> None:
        """Journal an entry. Without it nothing is struck; but a full disk must not keep a fault from its heal."""
        try:
            self._journal.write(entry)
        except OperationFailed:
            if entry.step not in HEALING:
                raise

    def _event(self, strike: FaultInForce, op: Op, kind: Type) -> None:
        victim = strike.instance
        self._emit(
            Event(
                self._now(),
                NEMESIS,
                op,
                kind,
                broker=victim.group,
                key=strike.kind,
                error=strike.error if kind == "fail" else None,
                value={
                    TARGET: strike.target,
                    INSTANCE: victim.name,
                    ADDRESS: victim.address,
                    **self._phase,
                    **{f"with.{name}": str(value) for name, value in strike.aim.options.items()},
                },
            )
        )

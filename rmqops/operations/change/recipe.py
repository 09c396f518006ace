"""How a cluster is changed, whatever the change is: the one recipe that every verb is carried out by.

1. The verb *plans*: it looks at hosts and processes, refuses what must not be done, and says in sentences what it
   would do. It touches nothing.
2. The plan is *shown*, and a person *confirms* it, unless that was done beforehand (``--yes``). Nobody waits for
   that person: the lock is not held yet.
3. The cluster's *lock* is taken, and the plan made again under it. If it is not the one that was confirmed,
   nothing is done.
4. The verb *carries it out*; before each of its steps it is made sure that the lock is held still.
5. The *gate*: the verb waits until the cluster is what it should be. Then a *canary* is sent to each group's
   master and read back, where the verb names groups for it; and what the verb does last is done.
6. All of that is on *record* (:mod:`rmqops.operations.change.audit`) from before the first look.

The same command once more goes on after an interruption at any of these moments: a plan is a difference, so what
has been done is not in it any more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from rmqops.errors import Unsafe
from rmqops.operations.change import audit, lock
from rmqops.operations.change.fleet import Fleet
from rmqops.operations.change.playbook import Listener
from rmqops.operations.change.progress import Progress
from rmqops.operations.observe import canary
from rmqops.operations.observe.status import Status
from rmqops.system.progress import Say


class ChangePlan(Protocol):
    """What a verb would do, as a value."""

    @property
    def steps(self) -> tuple[str, ...]:
        """A sentence for each step; empty when there is nothing to do.

        It is what goes on record, and what a plan that was confirmed is compared by: it names everything that a
        person would want to know of before saying yes.
        """


P = TypeVar("P", bound=ChangePlan)
R = TypeVar("R")


class Verb(ABC, Generic[P, R]):
    """A change: what it adds to the recipe. A dataclass of what was chosen on the command line."""

    name: ClassVar[str]
    """The command, as the lock and the audit name it."""
    fleet: Fleet

    @abstractmethod
    def plan(self) -> P:
        """Look, refuse, and return what would be done; touch nothing. It is called before and under the lock.

        Raises:
            Unsafe: it must not be done.
            PreflightFailed: something is in the way.
            RmqopsError: a host or a process could not be asked.
        """

    @abstractmethod
    def carry_out(self, plan: P, progress: Progress) -> R:
        """Do it, and return what the command shows; called also for a plan without a step.

        Raises:
            OperationFailed: a step failed; names the host and what it said.
        """

    def gate(self, plan: P, progress: Progress) -> Status | None:
        """Wait until the cluster is what it should be, and return its status; None where nothing is waited for.

        Raises:
            OperationFailed: it did not become that in time; with the reason.
        """

    def canary(self, plan: P) -> Collection[str] | None:
        """Return the instances to whose groups a canary is sent, all groups when empty; None for no canary."""

    def finish(self, plan: P, progress: Progress) -> None:
        """Do what can only be done to a cluster that has passed its gate."""


@dataclass(frozen=True)
class Consent(Generic[P]):
    """How a plan with at least one step is shown to a person, who is asked."""

    show: Callable[[P], None]
    confirm: Callable[[P], None] | None = None
    """Raises ``Unsafe`` unless the plan is confirmed; None where that was done beforehand."""


@dataclass(frozen=True)
class Completed(Generic[P, R]):
    """A change that was carried out and has passed its gate."""

    plan: P
    result: R
    status: Status | None


def perform(verb: Verb[P, R], consent: Consent[P], *, listener: Listener, say: Say) -> Completed[P, R]:
    """Carry a verb out by the recipe.

    Raises:
        Unsafe: it must not be done, was not confirmed, somebody else works on the cluster, or what there is to do
            is not what was confirmed any more; nothing was touched.
        RmqopsError: as the verb's own methods say.
    """
    topology = verb.fleet.topology
    with audit.recorded(verb.name, topology) as entry:
        confirmed: P | None = None
        if consent.confirm is not None:
            confirmed = verb.plan()
            entry.plan = list(confirmed.steps)
            if confirmed.steps:
                consent.show(confirmed)
                consent.confirm(confirmed)
        with lock.held(topology, verb.name, verb.fleet.transports) as ours:
            plan = verb.plan()
            if confirmed is not None:
                _refuse_another(confirmed, plan)
            else:
                entry.plan = list(plan.steps)
                if plan.steps:
                    consent.show(plan)
            progress = Progress(Path(entry.log), listener, say, ours.check)
            result = verb.carry_out(plan, progress)
            status = verb.gate(plan, progress)
            instances = verb.canary(plan)
            if status is not None and instances is not None:
                canary.send_and_read_back(topology, status, instances)
            progress.go_on()
            verb.finish(plan, progress)
    return Completed(plan, result, status)


def _refuse_another(confirmed: ChangePlan, plan: ChangePlan) -> None:
    """Refuse a plan that is not the one that a person has said yes to.

    Raises:
        Unsafe: it is not; with what was confirmed (``-``) and what there is to do now (``+``).
    """
    if confirmed.steps == plan.steps:
        return
    lines = [line for line in ndiff(confirmed.steps, plan.steps) if line[:1] in {"-", "+"}]
    raise Unsafe(
        "the cluster has changed since the plan was shown; nothing was touched",
        detail="\n".join(lines or ["the same steps in another order"]),
        remedy="run the same command again, and look at its new plan",
    )

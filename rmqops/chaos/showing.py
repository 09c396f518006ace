"""Run the drills of a suite, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rmqops.chaos import drill, preflight, runner
from rmqops.chaos.report import words
from rmqops.chaos.runner import Say
from rmqops.chaos.suite import Outcome, Row, Suite
from rmqops.chaos.verdict import Verdict
from rmqops.errors import OperationFailed, PreflightFailed
from rmqops.model.topology import Instance, Topology
from rmqops.operations import health
from rmqops.transport.base import Transport, transport_for


@dataclass
class Show:
    """A suite under way; ``interrupted`` once somebody ended it."""

    topology: Topology
    suite: Suite
    runs: Path
    seed: int
    typed: str | None = None
    """The cluster's name, if it was typed."""
    interrupted: bool = False

    def perform(self, say: Say, transports: Callable[[Instance], Transport] = transport_for) -> Iterator[Outcome]:
        """Yield what came of each row. A drill that fails or proves nothing does not end the suite.

        Raises:
            Unsafe: the guard refuses one of the drills; no command was sent.
            UsageError: a drill's target names nobody, or the runs' directory cannot be made.
        """
        drills = {name: drill.find(name) for name in dict.fromkeys(row.drill for row in self.suite.rows)}
        for one in drills.values():
            preflight.permit(self.topology, one, self.typed)
        refused: dict[str, str] = {}
        for name, one in drills.items():
            try:
                preflight.possible(self.topology, one, transports, preflight.addresses(self.topology))
            except PreflightFailed as error:
                refused[name] = " ".join(filter(None, [error.message, error.detail]))
                say(f"{name} is left out: {refused[name]}")
        for row in self.suite.rows:
            if row.drill in refused:
                yield Outcome(row, None, refused[row.drill])
            elif not self.interrupted:
                say(f"{row.row}: {row.claim}")
                yield self._try(row, drills[row.drill], say, transports)

    def _try(
        self, row: Row, wanted: drill.Drill, say: Say, transports: Callable[[Instance], Transport]
    ) -> Outcome:
        with suppress(OperationFailed):  # the drill itself refuses a cluster that is ill, and says why
            health.wait(self.topology)
        request = runner.Request(self.topology, wanted, self.runs, self.seed, self.typed)
        try:
            done = runner.run(request, say, transports)
        except PreflightFailed as error:
            return Outcome(row, Verdict.INCONCLUSIVE, error.message)
        self.interrupted = done.interrupted
        return Outcome(row, done.verdict, words.reason(done.result), str(done.run))

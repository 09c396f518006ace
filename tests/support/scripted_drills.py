"""Short drills against a scripted cluster, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rmqops.chaos import drill as drills
from rmqops.chaos.drill import Drill
from rmqops.chaos.run import journal, runner
from rmqops.chaos.run.context import Request
from rmqops.chaos.run.journal import JournalEntry
from rmqops.chaos.run.runner import Finished
from tests.support.scripted_cluster import ScriptedCluster

RATE = 10
"""Messages per second and producer: few, so that they take little of the test's time."""


def short(drill: Drill, **times: float) -> Drill:
    """Return a drill with little load and short waits; its bounds are its own, unless ``times`` says others."""
    return drill.changed(
        load=drill.load.model_copy(update={"rate": RATE}),
        times=drill.times.model_copy(update={"before": 1, "hold": 1, "after": 1, **times}),
    )


def of(*strikes: tuple[str, str], expects: str = "service", **parts: object) -> Drill:
    """Return a short drill of one phase that kills some targets: ``("kill", "master")``."""
    phase = {"strikes": [{"fault": fault, "target": target} for fault, target in strikes], "expects": expects}
    times = {"before": 1, "hold": 1, "after": 1, "fail_over": 15, "recover": 30}
    return drills.find("kill-master").changed(
        name="trial",
        phases=[phase],
        times={**times, **parts.pop("times", {})},  # type: ignore[dict-item]
        load={"rate": RATE},
        **parts,
    )


@dataclass
class Trial:
    """A drill against a cluster, and what it said."""

    cluster: ScriptedCluster
    runs: Path
    said: list[str] = field(default_factory=list)
    on_word: Callable[[str], None] = lambda _text: None
    """Called with each step that the drill tells."""

    def say(self, text: str) -> None:
        """Take a step."""
        self.said.append(text)
        self.on_word(text)

    def request(self, drill: Drill) -> Request:
        """Return the wish for a drill."""
        return Request(self.cluster.topology, drill, self.runs, seed=1)

    def run(self, drill: Drill) -> Finished:
        """Run a drill to its end."""
        return runner.run(self.request(drill), self.say, self.cluster.environment())

    @property
    def directory(self) -> Path:
        """The only run's."""
        (directory,) = self.runs.iterdir()
        return directory

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """The only run's journal."""
        return journal.read(self.directory)

    def has_said(self, text: str) -> bool:
        """Tell whether a step was told that holds a text."""
        return any(text in word for word in self.said)

"""``result.json``: the verdict of a drill and what it stands on, as one value and as the file of the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.verdicts.evaluate import CUT_SHORT, cut_short
from rmqops.chaos.verdicts.verdict import CheckResult, Evidence, Verdict, Verdicts
from rmqops.system.files import write_whole

FILE = "result.json"


@dataclass(frozen=True, slots=True)
class Result:
    """All that ``result.json`` says; ``started`` and ``ended`` are UTC in ISO 8601.

    ``settings`` are the checks' own (``verdicts.bounds.Bounds``), kept so that ``rmqops chaos check`` asks
    the same question again.
    """

    drill: str
    inventory: str
    seed: int
    started: str
    ended: str
    verdicts: Verdicts
    settings: Mapping[str, float] = field(default_factory=dict)
    version: str | None = None
    """The RocketMQ release under test."""
    sources: tuple[str, ...] = ()
    """The inventories, where the cluster is described by several."""
    client: Mapping[str, str] = field(default_factory=dict)
    """Whose view of availability this is: the load's ``driver``, its ``version`` and its settings by name."""

    @property
    def verdict(self) -> Verdict:
        """Return the word for the whole drill."""
        return self.verdicts.overall

    def document(self) -> dict[str, object]:
        """Return the JSON object of the contract."""
        verdicts = self.verdicts
        return {
            "drill": self.drill,
            "inventory": list(self.sources) if len(self.sources) > 1 else self.inventory,
            "version": self.version,
            "client": dict(self.client),
            "seed": self.seed,
            **verdicts_document(verdicts),
            "started": self.started,
            "ended": self.ended,
            "settings": dict(self.settings),
        }


def verdicts_document(verdicts: Verdicts) -> dict[str, object]:
    """Return what a history proves, as ``result.json`` says it."""
    return {
        "verdict": verdicts.overall.value,
        "heal_failed": verdicts.heal_failed,
        "checks": {result.name: check_document(result) for result in verdicts.results},
        "faults": [_fault_document(fault) for fault in verdicts.faults],
        **asdict(verdicts.counts),
        "notes": list(verdicts.notes),
    }


def check_document(result: CheckResult) -> dict[str, object]:
    """Return one entry of ``checks``; evidence carries only the fields that it has."""
    return {
        "verdict": result.verdict.value,
        "summary": result.summary,
        "numbers": dict(result.numbers),
        "evidence": [_evidence_document(item) for item in result.evidence],
    }


def _evidence_document(item: Evidence) -> dict[str, object]:
    return {name: value for name, value in asdict(item).items() if value not in (None, (), [])}


def _fault_document(fault: FaultRecord) -> dict[str, object]:
    return {
        **asdict(fault),
        "injected": fault.injected,
        "verified": fault.verified,
        "healed": fault.healed,
    }


def write_result(run: Path, result: Result) -> Path:
    """Write ``result.json`` whole or not at all, and return its path."""
    target = run / FILE
    write_whole(target, json.dumps(result.document(), indent=2, ensure_ascii=False) + "\n", mode=0o600)
    return target


def disagreements(recorded: Verdicts, computed: Verdicts) -> tuple[str, ...]:
    """Say where a recorded result and what the history yields now differ: words, figures, faults, evidence.

    What was cut short after all had been read back may stand in the result alone, where the history was made
    before it said so itself. What a later rmqops has added is no disagreement: a figure, or a check that passes.
    """
    why = next((note.removeprefix(CUT_SHORT) for note in recorded.notes if note.startswith(CUT_SHORT)), None)
    if why is not None and not any(note.startswith(CUT_SHORT) for note in computed.notes):
        computed = cut_short(computed, why)
    before, now = _flat(recorded), _flat(computed)
    names = [name for name in before if name in now or not name.startswith(ADDED)]
    names += [name for name in now if name not in before and not (name.startswith(ADDED) or _passed(name, now))]
    return tuple(
        f"{name}: recorded {_word(before.get(name))}, the history says {_word(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    )


def _passed(name: str, flat: Mapping[str, object]) -> bool:
    return name.startswith("check ") and flat[name] == Verdict.PASS.value


ADDED = ("figure ", "fault ")
"""What is compared only where both have it."""


def _flat(verdicts: Verdicts) -> dict[str, object]:
    """Return all that is compared, by its name for a person."""
    flat: dict[str, object] = {"verdict": verdicts.overall.value, "heal_failed": verdicts.heal_failed}
    flat |= asdict(verdicts.counts)
    for result in verdicts.results:
        flat[f"check {result.name}"] = result.verdict.value
        flat |= {f"figure {result.name}.{name}": value for name, value in result.numbers.items()}
        flat[f"figure {result.name}.evidence"] = [_evidence_document(item) for item in result.evidence]
    flat["faults"] = len(verdicts.faults)
    for number, fault in enumerate(verdicts.faults, 1):
        flat |= {f"fault {number}.{name}": value for name, value in asdict(fault).items() if name != "group"}
    return flat


def _word(value: object) -> str:
    return "nothing" if value is None else str(value)

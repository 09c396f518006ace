"""``result.json``: the verdict of a drill and what it stands on, as one value and as the file of the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.verdicts.verdict import CheckResult, Counts, Evidence, Verdict, Verdicts
from rmqops.errors import OperationFailed, UsageError
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
            "inventory": self.inventory,
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
    write_whole(target, json.dumps(result.document(), indent=2, ensure_ascii=False) + "\n")
    return target


def read_result(run: Path) -> Result:
    """Read ``result.json`` of a run.

    Raises:
        UsageError: the run has none.
        OperationFailed: it is not a result; the message names the file and the fault.
    """
    source = run / FILE
    try:
        text = source.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            f"{source} does not exist", remedy="name a run whose drill has ended, or use rmqops chaos check"
        ) from error
    try:
        return _parse(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise OperationFailed(
            f"{source} is not the result of a drill: {type(error).__name__}: {error}",
            remedy="recompute it from the history with rmqops chaos check",
        ) from error


def _parse(document: dict[str, Any]) -> Result:
    checks = tuple(_parse_check(name, entry) for name, entry in document["checks"].items())
    faults = tuple(
        FaultRecord(**{name: entry[name] for name in FaultRecord.__dataclass_fields__ if name in entry})
        for entry in document["faults"]
    )
    counts = Counts(**{name: document[name] for name in Counts.__dataclass_fields__})
    verdicts = Verdicts(
        overall=Verdict(document["verdict"]),
        results=checks,
        counts=counts,
        faults=faults,
        heal_failed=document["heal_failed"],
        notes=tuple(document["notes"]),
    )
    return Result(
        drill=document["drill"],
        inventory=document["inventory"],
        seed=document["seed"],
        started=document["started"],
        ended=document["ended"],
        verdicts=verdicts,
        settings=document["settings"],
        version=document["version"],
        client=document.get("client", {}),
    )


def _parse_check(name: str, entry: dict[str, Any]) -> CheckResult:
    evidence = tuple(_parse_evidence(item) for item in entry["evidence"])
    return CheckResult(name, Verdict(entry["verdict"]), entry["summary"], entry["numbers"], evidence)


def _parse_evidence(item: dict[str, Any]) -> Evidence:
    places: dict[str, Any] = {name: tuple(item.get(name, ())) for name in ("found", "missing")}
    return Evidence(**{**item, **places})


def disagreements(recorded: Verdicts, computed: Verdicts) -> tuple[str, ...]:
    """Say where a recorded result and what the history yields now are not the same; figures included."""
    differences = []
    pairs: list[tuple[str, object, object]] = [
        ("verdict", recorded.overall.value, computed.overall.value),
        ("heal_failed", recorded.heal_failed, computed.heal_failed),
    ]
    before, now = asdict(recorded.counts), asdict(computed.counts)
    pairs += [(name, before[name], now[name]) for name in before]
    old = {result.name: result.verdict.value for result in recorded.results}
    new = {result.name: result.verdict.value for result in computed.results}
    pairs += [(f"check {name}", old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())]
    for name, was, is_now in pairs:
        if was != is_now:
            differences.append(f"{name}: recorded {_word(was)}, the history says {_word(is_now)}")
    return tuple(differences)


def _word(value: object) -> str:
    return "nothing" if value is None else str(value)

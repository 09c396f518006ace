"""Read ``result.json``: all of it held to its types, so that what follows need not ask again.

Runs are what people send one another, cut, edited and damaged on the way.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.report.result import FILE, Result
from rmqops.chaos.verdicts.verdict import CheckResult, Counts, Evidence, Number, Verdict, Verdicts
from rmqops.errors import OperationFailed, UsageError

LARGEST: Final = 1 << 26
"""Bytes of a file; each check keeps 20 items of evidence, so that more is something else."""
_HUGE: Final = 1 << 63
"""Figures are counts, milliseconds and seconds; from here on a number is none of these."""
_SHOWN: Final = 5
"""How many of its faults are told."""
_REMEDY: Final = "recompute it from the history with rmqops chaos check"

_STRICT: Final = ConfigDict(strict=True, allow_inf_nan=False)


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


class _Check(BaseModel):
    model_config = _STRICT

    verdict: Verdict
    summary: str
    numbers: dict[str, Number]
    evidence: tuple[Evidence, ...]


class _Document(BaseModel):
    model_config = _STRICT

    drill: str
    inventory: str | tuple[str, ...]
    """One source, or several."""
    version: str | None
    client: dict[str, str] = {}
    seed: int
    verdict: Verdict
    heal_failed: bool
    checks: dict[str, _Check]
    faults: tuple[FaultRecord, ...]
    acknowledged: int
    refused: int
    indeterminate: int
    lost: int | None
    recovered: int | None
    duplicated: int | None
    unexpected: int | None
    rto_ms: float | None
    notes: tuple[str, ...]
    started: Annotated[str, AfterValidator(_moment)]
    ended: Annotated[str, AfterValidator(_moment)]
    settings: dict[str, float]


def read_result(run: Path) -> Result:
    """Read ``result.json`` of a run.

    Raises:
        UsageError: the run has none.
        OperationFailed: it is not a result; the message names the file, and the place and what was found there.
    """
    source = run / FILE
    try:
        with source.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise UsageError(
            f"{source} does not exist", remedy="name a run whose drill has ended, or use rmqops chaos check"
        ) from error
    except OSError as error:
        raise OperationFailed(f"{source} cannot be read: {error.strerror}") from error
    try:
        if len(content) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        text = content.decode("utf-8")
        json.loads(text, parse_int=_bounded, parse_float=_bounded)
        return _result(_Document.model_validate_json(text))
    except ValidationError as error:
        raise _no_result(source, "; ".join(_faults(error))) from error
    except RecursionError as error:
        raise _no_result(source, "it is nested too deeply") from error
    except ValueError as error:
        raise _no_result(source, str(error)) from error


def _bounded(text: str) -> float:
    number = float(text)
    if abs(number) >= _HUGE:
        raise ValueError(f"{text[:40]} is beyond any count or time")
    return number


def _faults(error: ValidationError) -> list[str]:
    found = error.errors(include_url=False)
    told = [
        f"{'.'.join(map(str, each['loc'])) or 'all of it'}: {each['msg']}"
        + ("" if each["type"] in ("missing", "json_invalid") else f", found {str(each['input'])[:80]!r}")
        for each in found[:_SHOWN]
    ]
    return told + [f"and {len(found) - _SHOWN} more"] * (len(found) > _SHOWN)


def _no_result(source: Path, why: str) -> OperationFailed:
    return OperationFailed(f"{source} is not the result of a drill: {why}", remedy=_REMEDY)


def _result(document: _Document) -> Result:
    sources = document.inventory if isinstance(document.inventory, tuple) else ()
    return Result(
        drill=document.drill,
        inventory=", ".join(sources) or str(document.inventory),
        sources=sources,
        seed=document.seed,
        started=document.started,
        ended=document.ended,
        verdicts=Verdicts(
            overall=document.verdict,
            results=tuple(
                CheckResult(name, check.verdict, check.summary, check.numbers, check.evidence)
                for name, check in document.checks.items()
            ),
            counts=Counts(**{name: getattr(document, name) for name in Counts.__dataclass_fields__}),
            faults=document.faults,
            heal_failed=document.heal_failed,
            notes=document.notes,
        ),
        settings=document.settings,
        version=document.version,
        client=document.client,
    )

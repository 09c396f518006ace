"""``rmqops chaos check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmqops.cli import output
from rmqops.cli.options import Json
from rmqops.cli.runs import Run, find_run
from rmqops.errors import OperationFailed, UsageError

if TYPE_CHECKING:
    from rmqops.chaos.verdicts.verdict import Verdicts


def command(run: Run, json: Json = False) -> int:
    """Judge a drill again, by its history alone, and compare with its result.json.

    The exit code is that of the verdict: 0 pass, 1 fail, 6 inconclusive, 7 when a heal failed; and 1 when
    result.json says anything else than the history does.
    """
    from rmqops.chaos.history.format import FILE as HISTORY
    from rmqops.chaos.report.result import FILE, disagreements, verdicts_document
    from rmqops.chaos.report.result_reading import read_result
    from rmqops.chaos.verdicts.bounds import Bounds
    from rmqops.chaos.verdicts.evaluate import evaluate

    directory = find_run(run)
    recorded = read_result(directory) if (directory / FILE).exists() else None
    try:
        bounds = Bounds.parse(recorded.settings) if recorded else Bounds()
    except UsageError as error:
        raise OperationFailed(f"{directory / FILE}: {error.message}", remedy=error.remedy) from error
    verdicts = evaluate(directory / HISTORY, bounds)
    differences = disagreements(recorded.verdicts, verdicts) if recorded else ()
    if json:
        compared = None if recorded is None else {"agrees": not differences, "differences": list(differences)}
        output.result_json({"run": str(directory), **verdicts_document(verdicts), "result_json": compared})
    else:
        _show(str(directory), verdicts)
        if recorded is None:
            output.note(f"{directory / FILE} does not exist: nothing to compare with")
        elif not differences:
            output.result(f"{FILE} agrees")
    if differences:
        raise OperationFailed(
            f"{directory / FILE} disagrees with the history",
            detail="\n".join(differences),
            remedy="believe the history: one of the two files was changed, or rmqops was",
        )
    # A drill that was cut short says so in its result, where its history is older than that.
    return (recorded.verdict if recorded else verdicts.overall).exit_code


def _show(title: str, verdicts: Verdicts) -> None:
    from dataclasses import asdict

    rows = [(result.name, result.verdict.value, result.summary) for result in verdicts.results]
    output.table(title, ["check", "verdict", "finding"], rows)
    counts = ", ".join(
        f"{name} {'unknown' if value is None else value}" for name, value in asdict(verdicts.counts).items()
    )
    output.result(counts)
    for note in verdicts.notes:
        output.note(f"note: {note}")
    if verdicts.heal_failed:
        output.note("a fault may still be in force; run rmqops chaos heal")
    output.result(f"verdict: {verdicts.overall.value}")

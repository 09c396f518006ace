"""``rmqops chaos report``."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.cli.options import Json
from rmqops.cli.runs import Run, find_run


def command(run: Run, json: Json = False) -> None:
    """Write report.html and junit.xml of a run again, from its history.jsonl and result.json.

    The verdict is taken from result.json as it stands; rmqops chaos check computes it anew.
    """
    from rmqops.chaos.report import write_reports
    from rmqops.chaos.report.result_reading import read_result
    from rmqops.cli import verdicts

    directory = find_run(run)
    paths = write_reports(directory)
    result = read_result(directory)
    if json:
        document = {"verdict": result.verdict.value, "html": str(paths.html), "junit": str(paths.junit)}
        output.result_json(document)
    else:
        verdicts.show(result, paths)

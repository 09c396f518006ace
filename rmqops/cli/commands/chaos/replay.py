"""``rmqops chaos replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmqops.cli import drilling
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, ConfirmDrill, Json
from rmqops.cli.runs import RUNS, Run, find_run


def command(
    run: Run,
    inventory: Annotated[
        list[str] | None,
        typer.Option(
            "--inventory",
            "-i",
            metavar="NAME|PATH",
            help="Another inventory than the run's; may be given again, as for ansible-playbook.",
        ),
    ] = None,
    confirm: ConfirmDrill = None,
    runs: Annotated[Path, typer.Option(help="Where the new run's directory is made.")] = RUNS,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
    json: Json = False,
) -> int:
    """Run a drill again as it was run: the same drill with the same load, the same seed, hence the same schedule.

    Whom a word such as master means is found out anew.
    """
    from rmqops.chaos import drill
    from rmqops.chaos.report.result_reading import read_result
    from rmqops.chaos.run.journal import DRILL
    from rmqops.operations import inventories

    directory = find_run(run)
    recorded = read_result(directory)
    return drilling.run(
        inventories.load(inventory or recorded.sources or recorded.inventory).topology,
        drill.find(str(directory / DRILL)),
        runs,
        seed=recorded.seed,
        confirm=confirm,
        keep_topic=False,
        accept_new_host_keys=accept_new_host_keys,
        ask_become_pass=ask_become_pass,
        json=json,
    )

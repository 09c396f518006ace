"""``rmqops chaos suite``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from rmqops.cli import host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, ConfirmDrill, Json
from rmqops.cli.runs import RUNS


def command(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite; notes is what is said of RocketMQ.")],
    inventories: Annotated[
        list[str],
        typer.Option(
            "--inventory",
            "-i",
            help="A cluster; with several, each a cluster of its own here, each claim is shown on the first "
            "that can show it.",
        ),
    ],
    rows: Annotated[
        list[str] | None, typer.Option("--row", metavar="ROW", help="This row alone; may be given again.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides every choice that the drills leave to chance.")] = None,
    confirm: ConfirmDrill = None,
    runs: Annotated[Path, typer.Option(help="Where the runs' directories are made.")] = RUNS,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
    json: Json = False,
) -> int:
    """Show claims one after the other, each by a drill, and end in a table.

    What is possible on no cluster is told before anything starts, and left out. The exit code is that of the
    worst verdict; 4 when nothing was possible.
    """
    from rmqops.chaos.run.context import Request
    from rmqops.chaos.suite import model as suites
    from rmqops.chaos.suite import perform
    from rmqops.cli import drilling
    from rmqops.operations.inventories import load

    chosen = suites.find(suite).only(rows)
    topologies = [load(name).topology for name in dict.fromkeys(inventories)]
    drawn = drilling.chosen_seed() if seed is None else seed
    clusters = []
    for number, topology in enumerate(topologies):
        named = confirm if len(topologies) == 1 or confirm == topology.cluster else None
        typed = drilling.confirmed(topology, named)
        asks = ask_become_pass and not number
        host_access.prepare(topology, topology.clients, accept_new=accept_new_host_keys, ask_become_pass=asks)
        clusters.append(partial(Request, topology, runs=runs, seed=drawn, typed=typed))
    outcomes = list(perform.perform(chosen, clusters, drilling.clocked()))
    if json:
        output.result_json({"suite": chosen.name, "rows": [outcome.document() for outcome in outcomes]})
    else:
        output.table(
            chosen.name,
            ["row", "claim", "drill", "on", "verdict", "what was seen", "run"],
            [
                (
                    outcome.row.row,
                    outcome.row.claim,
                    outcome.row.drill,
                    outcome.cluster or "",
                    outcome.verdict or "not tried",
                    outcome.measured,
                    outcome.run or "",
                )
                for outcome in outcomes
            ],
        )
    return suites.exit_code(outcomes)

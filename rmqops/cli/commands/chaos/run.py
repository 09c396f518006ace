"""``rmqops chaos run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import hosts, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, Inventory, Json
from rmqops.cli.runs import RUNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rmqops.chaos.drill import Drill

EXIT_INTERRUPTED = 130


def command(
    drill: Annotated[str, typer.Argument(metavar="DRILL", help="A drill of rmqops chaos list.")],
    inventory: Inventory,
    rate: Annotated[float | None, typer.Option(help="Messages per second and producer.")] = None,
    producers: Annotated[int | None, typer.Option(help="Processes that send.")] = None,
    consumers: Annotated[int | None, typer.Option(help="Processes that receive.")] = None,
    size: Annotated[int | None, typer.Option(help="Bytes of a message's body.")] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            help="Seconds of load besides fail-over and recovery: a third before the strike, a third with the "
            "fault in force, a third after the recovery."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides every choice that the drill leaves to chance.")] = None,
    target: Annotated[str | None, typer.Option(help="Strike somebody else than the drill says.")] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds after which the host heals itself, should rmqops die.")
    ] = None,
    confirm: Annotated[
        str | None, typer.Option(help="The cluster's name, to drill one that is not marked as drillable.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where the run's directory is made.")] = RUNS,
    keep_topic: Annotated[
        bool, typer.Option("--keep-topic", help="Leave the drill's topic and messages.")
    ] = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
    json: Json = False,
) -> int:
    """Run a drill: load, a fault, its heal, and a verdict on what the cluster made of it.

    Nothing is touched unless the cluster is healthy first, and what the drill did is undone on every way out. The
    exit code is that of the verdict: 0 pass, 1 fail, 6 inconclusive, 7 when a heal failed.
    """
    from rmqops.chaos import runner
    from rmqops.chaos.drill import find
    from rmqops.cli import verdicts
    from rmqops.operations import inventories

    loaded = inventories.load(inventory)
    topology = loaded.topology
    chosen = _adjusted(
        find(drill), rate=rate, producers=producers, consumers=consumers, size=size, duration=duration,
        target=target, deadline=deadline,
    )  # fmt: skip
    if confirm is None and not topology.drillable:
        confirm = (
            output.ask(f"{topology.cluster} is not marked as drillable. To strike it, type its name:") or None
        )
    request = runner.Request(
        topology, chosen, runs, _seed() if seed is None else seed, typed=confirm, keep_topic=keep_topic
    )
    hosts.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    done = runner.run(request, _clocked())
    if json:
        output.result_json({"run": str(done.run), **done.result.document()})
    else:
        verdicts.show(done.result, done.reports)
    if done.problem is not None:
        output.error(done.problem)
    if done.interrupted:
        return EXIT_INTERRUPTED
    return done.exit_code


def _clocked() -> Callable[[str], None]:
    """Return what shows a step and its time; a terminal that is gone must not keep a drill from its heal."""
    import time
    from contextlib import suppress

    started = time.monotonic()

    def say(text: str) -> None:
        with suppress(OSError):
            output.note(f"{time.monotonic() - started:6.1f} s  {text}")

    return say


def _seed() -> int:
    import secrets

    return secrets.randbelow(1 << 31)


def _adjusted(
    drill: Drill,
    *,
    rate: float | None,
    producers: int | None,
    consumers: int | None,
    size: int | None,
    duration: float | None,
    target: str | None,
    deadline: float | None,
) -> Drill:
    """Return the drill with what the command line says differently."""
    from dataclasses import replace

    from rmqops.chaos.drill import check

    load, times = drill.load, drill.times
    load = replace(
        load,
        rate=load.rate if rate is None else rate,
        producers=load.producers if producers is None else producers,
        consumers=load.consumers if consumers is None else consumers,
        size=load.size if size is None else size,
    )
    if duration is not None:
        times = replace(times, before=duration / 3, hold=duration / 3, after=duration / 3)
    if deadline is not None:
        times = replace(times, deadline=deadline)
    return check(replace(drill, load=load, times=times, target=drill.target if target is None else target))

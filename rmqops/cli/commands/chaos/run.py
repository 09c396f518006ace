"""``rmqops chaos run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, ConfirmDrill, Inventory, Json
from rmqops.cli.runs import RUNS

if TYPE_CHECKING:
    from rmqops.chaos.drill import Drill


def command(
    drill: Annotated[str, typer.Argument(metavar="DRILL", help="A drill of rmqops chaos list, or a .yml file.")],
    inventory: Inventory,
    driver: Annotated[
        str | None, typer.Option(help="What sends and receives: native, or java, the official client.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help="Where the load runs: controller, or clients, by turns on the hosts of that group (driver java)."
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Messages per second and producer; 0 for as fast as it can.")
    ] = None,
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
    target: Annotated[
        str | None, typer.Option(help="Strike somebody else than a drill of one strike says.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds after which the host heals itself, should rmqops die.")
    ] = None,
    max_rto: Annotated[
        float | None, typer.Option("--max-rto", help="Seconds; a longer RTO fails the drill. 0 is never.")
    ] = None,
    confirm: ConfirmDrill = None,
    runs: Annotated[Path, typer.Option(help="Where the run's directory is made.")] = RUNS,
    keep_topic: Annotated[
        bool, typer.Option("--keep-topic", help="Leave the drill's topic and messages.")
    ] = False,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print every command for every host, and strike nobody.")
    ] = False,
    json: Json = False,
) -> int:
    """Run a drill: load, a fault, its heal, and a verdict on what the cluster made of it.

    Nothing is touched unless the cluster is healthy first, and what the drill did is undone on every way out. The
    exit code is that of the verdict: 0 pass, 1 fail, 6 inconclusive, 7 when a heal failed.
    """
    from rmqops.chaos.drill import find
    from rmqops.cli import drilling
    from rmqops.operations import inventories

    topology = inventories.load(inventory).topology
    chosen = _adjusted(
        find(drill), driver=driver, where=where, rate=rate, producers=producers, consumers=consumers, size=size,
        duration=duration, target=target, deadline=deadline, max_rto=max_rto,
    )  # fmt: skip
    if dry_run:
        return drilling.rehearse(
            topology,
            chosen,
            runs,
            confirm=confirm,
            accept_new_host_keys=accept_new_host_keys,
            ask_become_pass=ask_become_pass,
            json=json,
        )
    return drilling.run(
        topology,
        chosen,
        runs,
        seed=seed,
        confirm=confirm,
        keep_topic=keep_topic,
        accept_new_host_keys=accept_new_host_keys,
        ask_become_pass=ask_become_pass,
        json=json,
    )


def _adjusted(
    drill: Drill,
    *,
    driver: str | None,
    where: str | None,
    rate: float | None,
    producers: int | None,
    consumers: int | None,
    size: int | None,
    duration: float | None,
    target: str | None,
    deadline: float | None,
    max_rto: float | None,
) -> Drill:
    """Return the drill with what the command line says differently."""
    from rmqops.errors import UsageError

    asked = {
        "driver": driver, "where": where, "rate": rate, "producers": producers, "consumers": consumers,
        "size": size,
    }  # fmt: skip
    load = {name: value for name, value in asked.items() if value is not None}
    times: dict[str, float] = {}
    if duration is not None:
        times = dict.fromkeys(("before", "hold", "after"), duration / 3)
    if deadline is not None:
        times["deadline"] = deadline
    phases = drill.phases
    if target is not None:
        strikes = list(drill.strikes)
        if len(strikes) != 1:
            raise UsageError(
                f"drill {drill.name} has {len(strikes)} strikes, so --target does not say which",
                remedy="copy it to a file (rmqops chaos show) and change it there",
            )
        phases = (phases[0].model_copy(update={"strikes": (strikes[0].model_copy(update={"target": target}),)}),)
    return drill.changed(
        load=drill.load.model_copy(update=load),
        times=drill.times.model_copy(update=times),
        limits=drill.limits if max_rto is None else drill.limits.model_copy(update={"rto": max_rto}),
        phases=phases,
    )

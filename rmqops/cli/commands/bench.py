"""``rmqops bench``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rmqops.cli import host_access, output
from rmqops.cli.options import AcceptNewHostKeys, AskBecomePass, ConfirmDrill, Inventory, Json


def command(
    inventory: Inventory,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long it counts, after a warm-up.")] = 20,
    size: Annotated[int, typer.Option(min=32, max=4_000_000, help="Bytes of a message's body.")] = 1024,
    producers: Annotated[int, typer.Option(min=1, max=1000, help="Processes that send.")] = 2,
    in_flight: Annotated[
        int, typer.Option(min=1, max=1000, help="Sends of each producer that are under way at once.")
    ] = 32,
    driver: Annotated[
        Literal["native", "java"], typer.Option(help="What sends: native, or java, the official client.")
    ] = "native",
    confirm: ConfirmDrill = None,
    accept_new_host_keys: AcceptNewHostKeys = False,
    ask_become_pass: AskBecomePass = False,
    json: Json = False,
) -> None:
    """Measure how many messages a second a healthy cluster acknowledges, by broker group.

    The load runs on this machine and fills a topic of its own, which is removed at the end; a cluster that people
    use feels it. What is measured is the cluster with this machine as its client, which may be the slower part:
    then its processors are busy and the brokers' are not. `rmqops size --figures` takes the JSON.
    """
    from rmqops.chaos import bench
    from rmqops.chaos.load.settings import Load
    from rmqops.cli import drilling
    from rmqops.operations import inventories

    topology = inventories.load(inventory).topology
    load = Load(rate=0, size=size, producers=producers, in_flight=in_flight, driver=driver)
    typed = drilling.confirmed(topology, confirm)
    host_access.prepare(topology, accept_new=accept_new_host_keys, ask_become_pass=ask_become_pass)
    measured = bench.run(bench.BenchRequest(topology, load, seconds, typed), drilling.clocked())
    if json:
        output.result_json(measured.document())
        return
    output.table(
        f"{measured.cluster}, RocketMQ {measured.version}: {measured.per_second:,.0f} messages/s of "
        f"{measured.size:,} bytes for {measured.seconds:g} s, {measured.failed:,} failed",
        ["group", "brokers", "messages/s", "MB/s", "p50 ms", "p99 ms"],
        [
            (
                share.group,
                str(share.members),
                f"{share.per_second:,.0f}",
                f"{share.per_second * measured.size / 1e6:.2f}",
                f"{share.p50_ms:.1f}",
                f"{share.p99_ms:.1f}",
            )
            for share in measured.shares
        ],
    )

"""``rmqops size``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmqops.cli import output
from rmqops.cli.options import Json
from rmqops.errors import UsageError

if TYPE_CHECKING:
    from rmqops.operations.sizing import Measured


def command(
    qps: Annotated[float, typer.Option(min=1, help="Messages a second that the cluster must take.")],
    figures: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="What rmqops bench --json printed, on such machines.")
    ],
    size: Annotated[int, typer.Option(min=1, max=4_000_000, help="Bytes of a message's body.")] = 1024,
    retention: Annotated[float, typer.Option(min=0.1, help="Hours that messages are kept.")] = 72,
    readers: Annotated[int, typer.Option(min=0, help="Consumer groups that read everything.")] = 1,
    headroom: Annotated[
        float, typer.Option(min=0, max=0.95, help="The part of what was measured that is kept free.")
    ] = 0.5,
    json: Json = False,
) -> None:
    """Say how many brokers a load needs, with which disk, memory and network, from figures that were measured.

    A group is taken to do what the slowest group of the bench did, with messages of that size; larger ones are
    refused, because nobody has measured them. The arithmetic is in docs/sizing.md.
    """
    from rmqops.operations import sizing

    measured = _measured(figures)
    if size > measured.size:
        raise UsageError(
            f"{figures} was measured with {measured.size} bytes, and --size is {size}",
            remedy=f"measure with the larger size: rmqops bench --size {size} --json > {figures}",
        )
    cluster = sizing.size(sizing.Demand(qps, size, retention, readers), measured, headroom)
    if json:
        output.result_json(cluster.document())
        return
    output.table(
        f"{qps:,.0f} messages/s of {size:,} bytes, kept for {retention:g} h",
        ["what", "how much", "of that"],
        [
            (
                "groups",
                f"{cluster.groups}",
                f"of {measured.members} brokers each, {cluster.brokers} brokers in all",
            ),
            (
                "messages/s of a group",
                f"{cluster.per_second_of_a_group:,.0f}",
                f"{cluster.share_of_measured:.0%} of the {measured.per_second:,.0f} that were measured",
            ),
            ("disk of a broker", _bytes(cluster.disk_bytes), f"stays below {sizing.FULL:.0%} full"),
            ("disk writes", f"{_bytes(cluster.write_bytes_per_second)}/s", "of a broker, log and index"),
            (
                "memory for page cache",
                _bytes(cluster.page_cache_bytes),
                f"the last {sizing.HOT_MINUTES:g} min, beside heap and direct memory",
            ),
            ("network in", f"{cluster.network_in_bits_per_second / 1e6:,.0f} Mbit/s", "of a master"),
            (
                "network out",
                f"{cluster.network_out_bits_per_second / 1e6:,.0f} Mbit/s",
                f"of a master, to {measured.members - 1} followers, and to consumers {readers} times",
            ),
        ],
    )


def _measured(path: Path) -> Measured:
    import json

    from rmqops.operations.sizing import Measured

    try:
        bench = json.loads(path.read_text(encoding="utf-8"))
        slowest = min(bench["shares"], key=lambda share: float(share["per_second"]))
        measured = Measured(float(slowest["per_second"]), int(bench["size"]), int(slowest["members"]))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not what rmqops bench --json prints: {error!r}", remedy=f"rmqops bench --json > {path}"
        ) from error
    if measured.per_second <= 0 or measured.size <= 0 or measured.members <= 0:
        raise UsageError(f"{path} holds a figure that is not above 0", remedy=f"rmqops bench --json > {path}")
    return measured


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"

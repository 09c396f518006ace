"""``rmqops chaos list``."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.cli.options import Json


def command(json: Json = False) -> None:
    """List the drills, and the faults that a drill of your own may use.

    What a drill proves, and what it does not, is told by rmqops chaos show.
    """
    from rmqops.chaos import drill, faults

    drills = [drill.find(name) for name in drill.names()]
    kinds = {kind: faults.find(kind) for kind in faults.kinds()}
    if json:
        output.result_json(
            {
                "drills": [each.document() for each in drills],
                "faults": {
                    kind: {
                        "summary": fault.SUMMARY,
                        "with": {name: option.schema() for name, option in fault.OPTIONS.items()},
                    }
                    for kind, fault in kinds.items()
                },
            }
        )
        return
    output.table("drills", ["drill", "what it does"], [(each.name, each.description) for each in drills])
    rows = [
        (kind, fault.SUMMARY, [f"{name}={option.default}" for name, option in fault.OPTIONS.items()])
        for kind, fault in kinds.items()
    ]
    output.table("faults", ["fault", "what it does", "with"], rows)

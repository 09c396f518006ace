"""``rmqops chaos list``."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.cli.options import Json


def command(json: Json = False) -> None:
    """List the drills: what each does, what it proves, and what it does not."""
    from rmqops.chaos import drill, faults

    found = [drill.find(name) for name in drill.names()]
    if json:
        output.result_json(
            [
                {
                    "name": each.name,
                    "description": each.description,
                    "fault": each.fault,
                    "target": each.target,
                    "proves": list(each.proves),
                    "does_not_prove": list(each.does_not_prove),
                }
                for each in found
            ]
        )
        return
    for each in found:
        output.result(f"{each.name}: {each.description}")
        output.result(f"  fault           {each.fault} ({faults.find(each.fault).SUMMARY}), target {each.target}")
        for title, lines in (("proves", each.proves), ("does not prove", each.does_not_prove)):
            for number, line in enumerate(lines):
                output.result(f"  {title if number == 0 else '':<15} {line}")

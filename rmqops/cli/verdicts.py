"""A drill's verdict on the terminal: the word, the numbers, the checks, the recovery time, where the report is.

On a terminal it has colors and fits its width. Elsewhere, in a log or a pipe, it is plain text and nothing is cut.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rmqops.cli import output

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from rmqops.chaos.report import ReportPaths
    from rmqops.chaos.report.result import Result
    from rmqops.chaos.report.words import RtoStep

BAR = 20
STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow", "heal-failed": "magenta"}


def show(result: Result, paths: ReportPaths | None = None) -> None:
    """Print the verdict of a drill as the answer of a command."""
    if sys.stdout.isatty():
        output.draw(*drawn(result))
        if paths is not None:
            output.result(f" report  {paths.html}", f" junit   {paths.junit}")
    else:
        output.result(*lines(result, paths))


def lines(result: Result, paths: ReportPaths | None = None) -> list[str]:
    """Return the verdict as plain text, one finding a line and none of them cut."""
    from rmqops.chaos.load.roster import client_words
    from rmqops.chaos.report import words

    text = [f"{result.verdict.value.upper()}  {_title(result)}", words.reason(result)]
    text += [f"heal failed: {_HEAL}"] if result.verdicts.heal_failed else []
    text += [f"note: {note}" for note in result.verdicts.notes]
    text.append("")
    text += [
        f"{figure.name:<15} {_count(figure.value):>11}   {figure.meaning}" for figure in words.figures(result)
    ]
    text.append(f"{'RTO':<15} {words.duration(result.verdicts.counts.rto_ms):>11}   {_RTO}")
    text += [
        f"  {step.label:<20} {words.duration(step.at):>11}   {step.meaning}" for step in words.rto_steps(result)
    ]
    text += [f"  as seen by the {client_words(result.client)}"] if result.client else []
    text.append("")
    width = max((len(check.name) for check in result.verdicts.results), default=0)
    for check in result.verdicts.results:
        text.append(f"{check.verdict.value:<12}  {check.name:<{width}}  {check.summary}")
    if paths is not None:
        text += ["", f"report  {paths.html}", f"junit   {paths.junit}"]
    return [output.shown(line) for line in text]


_RTO = "from the fault to the first sustained success"
_HEAL = "a fault may still be in force; run rmqops chaos heal"


def _title(result: Result) -> str:
    parts = [f"{result.drill} on {result.inventory}"]
    parts += [f"RocketMQ {result.version}"] if result.version else []
    return ", ".join([*parts, f"seed {result.seed}"])


def _count(value: int | None) -> str:
    from rmqops.chaos.report import words

    return words.UNKNOWN if value is None else f"{value:,}"


def drawn(result: Result) -> list[RenderableType]:
    """Return the verdict in color, for :func:`rmqops.cli.output.draw`."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.text import Text

    from rmqops.chaos.load.roster import client_words
    from rmqops.chaos.report import words

    style = STYLES[result.verdict.value]
    head: list[Text] = [
        Text.assemble(
            (f" {words.SIGNS[result.verdict]} {result.verdict.value.upper()} ", f"bold reverse {style}"),
            "  ",
            (output.shown(_title(result)), "bold"),
        ),
        Text(output.shown(words.reason(result))),
    ]
    if result.verdicts.heal_failed:
        head.append(Text(f"Heal failed: {_HEAL}.", style="bold magenta"))
    head += [Text(f"note: {output.shown(note)}", style="yellow") for note in result.verdicts.notes]
    parts: list[RenderableType] = [Panel(Group(*head), border_style=style, padding=(0, 1))]
    parts += [Padding(part, (0, 0, 1, 1)) for part in (_figures(result), _recovery(result), _checks(result))]
    if result.client:
        parts.append(Text(f" as seen by the {output.shown(client_words(result.client))}\n", style="dim"))
    return parts


def _grid() -> Table:
    from rich.table import Table

    return Table.grid(padding=(0, 2))


def _figures(result: Result) -> Table:
    from rich.text import Text

    from rmqops.chaos.report import words

    grid = _grid()
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(style="dim")
    for figure in words.figures(result):
        style = "bold red" if figure.bad else "bold"
        grid.add_row(figure.name, Text(_count(figure.value), style=style), figure.meaning)
    return grid


def _recovery(result: Result) -> Table:
    from rich.text import Text

    from rmqops.chaos.report import words

    grid = _grid()
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column()
    grid.add_column(style="dim")
    grid.add_row("RTO", Text(words.duration(result.verdicts.counts.rto_ms), style="bold"), "", _RTO)
    steps = words.rto_steps(result)
    longest = max((step.at or 0 for step in steps), default=0) or 1
    for step in steps:
        bar = Text(_bar(step, longest), style="blue")
        grid.add_row(f"  {step.label}", words.duration(step.at), bar, step.meaning)
    return grid


def _bar(step: RtoStep, longest: float) -> str:
    """Draw the time from the step before to this one, on a scale of all of them."""
    if step.at is None:
        return " " * BAR
    start = min(round(BAR * step.since / longest), BAR - 1)
    return (" " * start + "━" * max(1, round(BAR * step.at / longest) - start)).ljust(BAR)


def _checks(result: Result) -> Table:
    from rich.text import Text

    from rmqops.chaos.report import words

    grid = _grid()
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in result.verdicts.results:
        word = Text(f"{words.SIGNS[check.verdict]} {check.verdict.value}", style=STYLES[check.verdict.value])
        grid.add_row(word, Text(check.name, style="bold"), Text(output.shown(check.summary)))
    return grid

"""What stands after ``--`` is somebody else's, and comes through as it is."""

from __future__ import annotations

import pytest
import typer
from typer.main import get_command

from rmqops.cli.passthrough import PassthroughCommand


@pytest.mark.parametrize(
    ("line", "own", "rest"),
    [
        (["a", "--", "sh", "-c", "x --json"], ["a"], ("sh", "-c", "x --json")),
        (["--", "ls", "--", "-la"], [], ("ls", "--", "-la")),
        (["a", "b"], ["a", "b"], ()),
        (["a", "--"], ["a"], ()),
    ],
)
def test_a_line_is_parted_at_the_first_dashes(line: list[str], own: list[str], rest: tuple[str, ...]) -> None:
    seen: list[object] = []

    def command(context: typer.Context, names: list[str] | None = typer.Argument(default=None)) -> None:
        seen.extend((names or [], PassthroughCommand.of(context)))

    made = typer.Typer()
    made.command(cls=PassthroughCommand)(command)
    get_command(made)(line, standalone_mode=False)
    assert seen == [own, rest]

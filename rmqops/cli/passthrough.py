"""A command line of which the part after ``--`` is somebody else's."""

from __future__ import annotations

from typing import Final

import typer
from typer.core import TyperCommand

_KEY: Final = "rmqops.rest"


class PassthroughCommand(TyperCommand):
    """A command that keeps what stands after the first ``--``; typer would mix it with the arguments."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse what stands before ``--``."""
        own, rest = args, []
        if "--" in args:
            at = args.index("--")
            own, rest = args[:at], args[at + 1 :]
        ctx.meta[_KEY] = tuple(rest)
        return super().parse_args(ctx, own)

    @staticmethod
    def of(context: typer.Context) -> tuple[str, ...]:
        """Return what stood after ``--``."""
        rest: tuple[str, ...] = context.meta.get(_KEY, ())
        return rest

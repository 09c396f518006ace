"""What a build tells its caller while it runs, as values; who prints them is the caller's affair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["wait", "fetch", "verify", "unpack", "patch", "compile", "pack", "runtime"]


@dataclass(frozen=True)
class Progress:
    """One step forward."""

    stage: Stage
    message: str
    done: int | None = None
    """Of ``total``: bytes while fetching, modules while compiling."""
    total: int | None = None


ProgressListener = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """Tell nobody."""

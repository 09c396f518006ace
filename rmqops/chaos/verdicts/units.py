"""What the numbers of a verdict count: seconds, milliseconds, percent, or things. PURE.

A bound's unit stands at its field (``verdicts.bounds``). A check's figure ends with its unit: ``rto_ms``,
``uneven_percent``; one that ends with none is a count or a word. What a check knows of each of several things has
two parts with a dot between, and the unit is that of the check's own part: ``route_lost_ms.namesrv-1``,
``broker-a.percent``. The names of things are the operator's and may end with anything.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Unit(Enum):
    """What a number counts; the value is what stands behind it."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    PERCENT = "%"
    COUNT = ""

    @property
    def words(self) -> str:
        """What a value must be, for a message."""
        kinds = {Unit.SECONDS: "seconds", Unit.MILLISECONDS: "milliseconds", Unit.PERCENT: "percent"}
        return f"a number of {kinds[self]}" if self in kinds else "a count"


_SUFFIXES: Final = {"_ms": Unit.MILLISECONDS, "_s": Unit.SECONDS, "_percent": Unit.PERCENT}

OF_EACH: Final = (
    "acknowledged",
    "percent",
    "queues",
    "least_in_a_queue",
    "most_in_a_queue",
    "as_slave",
    "as_master",
)
"""Figures behind the name of the thing that they are of; others stand before it."""


def of_each(thing: str, figure: str) -> str:
    """Return the name of a figure that a check has of each of several things, one of ``OF_EACH``."""
    if figure not in OF_EACH:
        raise ValueError(f"{figure} is none of the figures that stand behind the name of a thing")
    return f"{thing}.{figure}"


def parts(name: str) -> tuple[str, str | None]:
    """Return the check's own part of a figure's name, and what it is of; None where it is of nothing."""
    thing, dot, figure = name.rpartition(".")
    if dot and figure in OF_EACH:
        return figure, thing
    figure, _, thing = name.partition(".")
    return figure, thing or None


def unit_of(name: str) -> Unit:
    """Return the unit of a check's figure."""
    figure, _ = parts(name)
    return next((unit for suffix, unit in _SUFFIXES.items() if f"_{figure}".endswith(suffix)), Unit.COUNT)


def without_unit(figure: str) -> str:
    """Return a check's own part of a name less its unit, which goes with the value."""
    for suffix in _SUFFIXES:
        figure = figure.removesuffix(suffix)
    return figure

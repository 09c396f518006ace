"""What sends came to before a fault, under it and after it, and the reasons of those that went wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from rmqops.chaos.history.fault_records import FaultRecord

PERIOD = "case when start is null then 'before' when t <= stop then 'during' else 'after' end as period"
"""What was in force at ``t``: a column of what :data:`IN_FORCE` is joined to."""
IN_FORCE = "asof left join in_force on t >= start"
_BY_PERIOD = ", ".join(f"count(*) filter (period = '{name}')" for name in ("before", "during", "after"))
_OUTCOMES = f"select type, {_BY_PERIOD} from done group by type"  # noqa: S608 - constants of this module
_REASONS = f"""
    select type, arg_min(reason, (t, reason)), count(distinct reason), min(t), max(t), {_BY_PERIOD}
    from (select *, coalesce(error, 'no reason given') as reason from done where type in ('fail', 'info'))
    group by type, regexp_replace(reason, '[0-9]+', '#', 'g')
    order by count(*) desc, min(t), type, min(reason)
"""  # noqa: S608 - constants of this module


@dataclass(frozen=True, slots=True)
class ByPeriod:
    """A count of sends by what was in force when they ended."""

    before: int = 0
    """The first fault was not given yet, or there was none."""
    during: int = 0
    """A fault was in force: from its injection until it was seen healed."""
    after: int = 0
    """No fault was in force any more, or not yet the next one."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.before + self.during + self.after


@dataclass(frozen=True, slots=True)
class SendError:
    """A reason that senders were given: texts that differ in their digits alone are one reason."""

    type: str
    """``fail`` or ``info``."""
    example: str
    """The first of its texts."""
    texts: int
    """How many texts it was told in."""
    sends: ByPeriod
    first: float
    """Seconds since the start."""
    last: float


def in_force(faults: Iterable[FaultRecord]) -> list[tuple[float, float]]:
    """Return the spans in which a fault was in force, in seconds, without overlap; one not healed has no end."""
    spans: list[tuple[float, float]] = []
    given = [(one.injected_at, one.healed_at) for one in faults if one.injected_at is not None]
    for start, stop in sorted((start, math.inf if stop is None else stop) for start, stop in given):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], stop))
        else:
            spans.append((start, stop))
    return spans


def load(database: DuckDBPyConnection, faults: Iterable[FaultRecord]) -> None:
    """Make the table of the spans in which a fault was in force."""
    database.execute("create table in_force (start double, stop double)")
    for span in in_force(faults):
        database.execute("insert into in_force values (?, ?)", span)


def counts(database: DuckDBPyConnection) -> dict[str, ByPeriod]:
    """Return the sends of the table ``done`` by the type of their outcome: ``ok``, ``fail`` or ``info``."""
    return {str(kind): ByPeriod(*sends) for kind, *sends in database.execute(_OUTCOMES).fetchall()}


def errors(database: DuckDBPyConnection) -> tuple[SendError, ...]:
    """Return every reason of the table ``done``, the most frequent first."""
    return tuple(
        SendError(kind, example, texts, ByPeriod(*sends), first, last)
        for kind, example, texts, first, last, *sends in database.execute(_REASONS).fetchall()
    )

"""A drill's history as a page can draw it: counts and latencies in bins, and what the NameServers answered.

A history has a line for every message, a page has room for some thousands of points. DuckDB counts the bins in one
pass over the file, with a bound on memory and the rest in a temporary directory, so that the size of the page does
not grow with the number of operations.

A send belongs to the bin in which it *ended*. Its latency runs from its ``invoke`` to its outcome; the percentiles
are those of acknowledged sends, exact for every width of bin (percentiles of wider bins cannot be computed from
those of narrower ones, so each width is counted for itself).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rmqops.chaos.history.format import ADDRESS, CONSUMER, DRAIN, FILE, INSTANCE, LONGEST_RUN, RECOVERED, columns
from rmqops.chaos.report import lanes, outcomes
from rmqops.chaos.report.lag import Lag, lag
from rmqops.chaos.report.outcomes import ByPeriod, SendError
from rmqops.errors import OperationFailed, UsageError
from rmqops.system import scratch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from rmqops.chaos.history.fault_records import FaultRecord

WIDTHS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
"""Widths of bins in seconds; a level of bins is drawn from each that is wide enough and not too wide."""

BIN_LIMIT = 8000
"""Bins of the finest level; keeps a page under 1 MB however long the drill was."""

COARSEST = 40
"""Bins of the coarsest level, about."""

ERROR_LIMIT = 25
MILESTONE_LIMIT = 400
MEMORY_LIMIT = "192MB"

_COLUMNS = columns(
    ("t", "process", "op", "type", "topic", "broker", "queue", "offset", "key", "error", "address", "value"),
    value="MAP(VARCHAR, VARCHAR)",
)
EVENTS = f"""
    create table event as
        select t, process, op, type, broker, error, address, value,
            case when op = 'send' then hash(process, key) end as send,
            case when op in ('fault', 'heal') then key end as kind,
            starts_with(process, '{CONSUMER}') as by_consumer,
            case when type = 'ok' and (op = 'send' or by_consumer)
                then (hash(topic, broker, queue) >> 32)::uinteger end as q,
            case when q is not null then "offset" end as o, case when q is not null then topic end as topic,
            case when starts_with(process, '{DRAIN}') then process[{len(DRAIN) + 1}:] end as read_back_from
        from read_json(?, format = 'newline_delimited', ignore_errors = true, columns = {{{_COLUMNS}}})
        where t between 0 and {LONGEST_RUN} and (op <> 'receive'
            or (type = 'ok' and (by_consumer or (read_back_from is not null and "offset" = 0))))
"""  # noqa: S608 - constants of this module
END = """
    select coalesce(max(t) filter (send is not null or by_consumer or op in ('fault', 'heal')), max(t), 0)
    from event
"""
MILESTONES = f"""
    select t, op, type, coalesce(kind, ''), value['{INSTANCE}'], value['{ADDRESS}'], error
    from event where op in ('fault', 'heal')
    order by t, op, kind = '{RECOVERED}', type, kind, value::varchar, error limit ?
"""  # noqa: S608 - constants of this module
NAMES = f"""
    select address, min(name) from (
        select address, read_back_from as name from event
        union all
        select value['{ADDRESS}'], value['{INSTANCE}'] from event where op in ('fault', 'heal')
    ) where address is not null and name is not null group by address order by address
"""  # noqa: S608 - constants of this module


@dataclass(frozen=True, slots=True)
class Level:
    """Bins of one width from the start of the drill to its end; latencies in milliseconds, None for an empty bin.

    ``read`` counts the messages that consumers received while the drill ran.
    """

    width: float
    ok: tuple[int, ...]
    fail: tuple[int, ...]
    info: tuple[int, ...]
    read: tuple[int, ...]
    p50: tuple[float | None, ...]
    p99: tuple[float | None, ...]
    max: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something the drill itself did, or saw of it: a line of ``fault`` or ``heal``."""

    t: float
    op: str
    type: str
    kind: str
    instance: str | None = None
    address: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that is drawn; ``end`` is seconds from the start of the drill to its last act before the read-back."""

    end: float
    levels: tuple[Level, ...] = ()
    groups: tuple[lanes.GroupLanes, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    sends: dict[str, ByPeriod] = field(default_factory=dict)
    """Sends by the type of their outcome: ``ok``, ``fail`` or ``info``."""
    errors: tuple[SendError, ...] = ()
    errors_left_out: tuple[int, int] = (0, 0)
    """How many reasons there are beyond those, and how many sends were given them."""
    names: dict[str, str] = field(default_factory=dict)
    """Instance names by address, as far as the history tells them."""
    lag: Lag = field(default_factory=Lag)


def read_timeline(run: Path, faults: Iterable[FaultRecord] = ()) -> Timeline:
    """Read ``history.jsonl`` of a run; lines that are not JSON are left to the checks to report.

    Args:
        run: The run's directory.
        faults: When which fault was in force.

    Raises:
        UsageError: the run has no history.
        OperationFailed: the history cannot be read.
    """
    import duckdb

    source = run / FILE
    if not source.is_file():
        raise UsageError(f"{source} does not exist", remedy="name the directory of a run")
    with scratch.directory("report") as directory:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": "2",
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(directory),
            "preserve_insertion_order": "false",
        }
        try:
            with duckdb.connect(str(directory / "bins.db"), config=settings) as database:
                outcomes.load(database, faults)
                _load(database, source)
                return _timeline(database)
        except duckdb.Error as error:
            raise OperationFailed(
                f"{source} cannot be read: {str(error).splitlines()[0]}",
                remedy="look at it with rmqops chaos history",
            ) from error


def _load(database: DuckDBPyConnection, source: Path) -> None:
    """Keep what is drawn: no message that was read back, but the first of each queue, which names its member."""
    database.execute(EVENTS, [str(source)])
    database.execute(
        f"""create table done as
            select send.*, {outcomes.PERIOD} from (
                select max(t) as t, max(t) - min(t) as latency,
                       max(type) filter (type <> 'invoke') as type, max(error) as error
                from event where send is not null
                group by send having count(*) filter (type <> 'invoke') > 0
            ) as send {outcomes.IN_FORCE}"""  # noqa: S608 - constants of another module
    )


def _timeline(database: DuckDBPyConnection) -> Timeline:
    end = _number(database, END)
    milestones = database.execute(MILESTONES, [MILESTONE_LIMIT]).fetchall()
    errors = outcomes.errors(database)
    others = errors[ERROR_LIMIT:]
    return Timeline(
        end=end,
        levels=tuple(_level(database, width, end) for width in widths(end)),
        groups=_groups(database, end),
        milestones=tuple(Milestone(*row) for row in milestones),
        sends=outcomes.counts(database),
        errors=errors[:ERROR_LIMIT],
        errors_left_out=(len(others), sum(error.sends.total for error in others)),
        lag=lag(database, widths(end), end),
        names=_names(database),
    )


def widths(end: float) -> tuple[float, ...]:
    """Choose the widths of bins for a drill of ``end`` seconds, the finest first."""
    fit = [width for width in WIDTHS if end / width <= BIN_LIMIT] or [end / BIN_LIMIT]
    return tuple(width for width in fit if end / width >= COARSEST) or (fit[0],)


def _number(database: DuckDBPyConnection, query: str) -> float:
    row = database.execute(query).fetchone()
    assert row is not None, "an aggregate has a row"
    return float(row[0])


def _level(database: DuckDBPyConnection, width: float, end: float) -> Level:
    size = int(end / width) + 1
    counts = {name: [0] * size for name in ("ok", "fail", "info", "read")}
    latencies: dict[str, list[float | None]] = {name: [None] * size for name in ("p50", "p99", "max")}
    rows = database.execute(
        """select cast(floor(t / $width) as integer) as bin,
                  count(*) filter (type = 'ok'), count(*) filter (type = 'fail'), count(*) filter (type = 'info'),
                  quantile_cont(latency, 0.5) filter (type = 'ok'),
                  quantile_cont(latency, 0.99) filter (type = 'ok'),
                  max(latency) filter (type = 'ok')
           from done group by bin""",
        {"width": width},
    ).fetchall()
    for place, *values in rows:
        for name, value in zip(("ok", "fail", "info"), values[:3], strict=True):
            counts[name][place] = value
        for name, value in zip(latencies, values[3:], strict=True):
            latencies[name][place] = None if value is None else _milliseconds(value)
    read = database.execute(
        """select cast(floor(t / $width) as integer) as bin, count(*)
           from event where op = 'receive' and by_consumer group by bin""",
        {"width": width},
    ).fetchall()
    for place, count in read:
        counts["read"][place] = count
    return Level(width, **{name: tuple(values) for name, values in (counts | latencies).items()})  # type: ignore[arg-type]


def _milliseconds(seconds: float) -> float:
    """Round to what a page can show: three digits."""
    return float(f"{seconds * 1000:.3g}")


def _groups(database: DuckDBPyConnection, end: float) -> tuple[lanes.GroupLanes, ...]:
    servers = _column(database, "select distinct process from event where op = 'route' order by 1")
    names = _column(
        database, "select distinct broker from event where op = 'route' and broker is not null order by 1"
    )
    return tuple(
        lanes.group(name, {server: lanes.answers(_samples(database, server, name)) for server in servers}, end)
        for name in names
    )


def _samples(database: DuckDBPyConnection, server: str, group: str) -> Iterator[tuple[float, lanes.Route | None]]:
    """Give one NameServer's samples of a group; where it failed to answer, it failed to answer for every group."""
    rows = database.execute(
        """select t, case when type = 'ok' then coalesce(value, map([], [])) end
           from event where op = 'route' and process = ? and (broker = ? or (broker is null and type <> 'ok'))
           order by t, type, value::varchar""",
        [server, group],
    )
    while batch := rows.fetchmany(5000):
        yield from batch


def _names(database: DuckDBPyConnection) -> dict[str, str]:
    rows = database.execute(NAMES).fetchall()
    return dict(rows)


def _column(database: DuckDBPyConnection, query: str) -> list[str]:
    return [str(row[0]) for row in database.execute(query).fetchall()]

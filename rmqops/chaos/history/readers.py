"""Who reads as one: the members of a consumer group together, a consumer of no group by itself, each life anew.

The tables that are made from this: ``reader`` (``g`` the reader, ``p`` a process of it), and by :func:`reach` one
of that name, a row for each reader and queue that it is to read, with ``o`` as the highest offset that it has read
there, -1 for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rmqops.chaos.history import run_record
from rmqops.chaos.history.fault_records import faults
from rmqops.chaos.history.format import CONSUMED, CONSUMER, ClientName
from rmqops.chaos.history.reader import History
from rmqops.chaos.history.run_record import RunRecord, Subscription

ALL = "the consumers"
"""The reader of a history that does not say who reads what: all of them together, so that no one is accused of
what another was to read."""

TABLES = """
    create or replace temp table reader (g integer, p uinteger);
    create or replace temp table subscribed (g integer, topic varchar);
"""
EVERYBODY = f"insert into reader select distinct 0, p from store.line where code = {CONSUMED}"  # noqa: S608
REACH = f"""
    create or replace temp table reach as
        with due as (  -- only what was read back has a topic's name; what was read is due as well
            select distinct s.g, d.q from subscribed s join drain d on s.topic is null or s.topic = d.topic
        ),
        read as (
            select g, q, max(o)::bigint as o from store.line join reader using (p)
            where code = {CONSUMED} group by all
        )
        select g, q, coalesce(o, -1) as o from due full join read using (g, q)
"""  # noqa: S608 - constants of this module
NAMED = f"""
    select n.process from name n semi join (select distinct p from store.line where code = {CONSUMED}) c using (p)
"""  # noqa: S608 - a constant


@dataclass(frozen=True)
class Reader:
    """Processes that read a topic as one; they are judged together."""

    name: str
    """The consumer group's; that of the process where it is of none."""
    topic: str | None
    """None for every topic there is."""
    processes: tuple[str, ...] = ()
    """Their names, those of queues that were given again included; none where nothing was read."""
    shares: bool = False
    """Its members are given queues, and take over those of others."""
    killed: bool = False
    """The drill killed it, so that nobody can ask why it read no further."""


def of_names(
    consumers: Mapping[str, Subscription], names: Iterable[str], killed: Iterable[str] = ()
) -> tuple[Reader, ...]:
    """Put processes together that read as one, in order of names. PURE.

    Args:
        consumers: What each place reads.
        names: Of the processes that read anything.
        killed: Of those that the drill killed.
    """
    dead = frozenset(killed)
    members: dict[tuple[str, str | None, bool], list[str]] = {}
    for place, each in consumers.items():
        if each.group is not None:
            members.setdefault((each.group, each.topic, True), [])
        elif place not in dead:
            members.setdefault((place, each.topic, False), [])
    for name in names:
        parsed = ClientName.parse(name)
        known = consumers.get(str(parsed.place)) if parsed else None
        if parsed is None or known is None:
            members.setdefault((name, None, False), []).append(name)
        elif known.group is not None:
            members[known.group, known.topic, True].append(name)
        else:
            members.setdefault((str(parsed.process), known.topic, False), []).append(name)
    return tuple(
        Reader(name, topic, tuple(sorted(processes)), shares, killed=not shares and name in dead)
        for (name, topic, shares), processes in sorted(members.items(), key=lambda item: item[0][0])
    )


def readers(history: History, record: RunRecord | None = None) -> tuple[Reader, ...]:
    """Return who read, and make the table ``reader``; none where a history knows of no consumer.

    A process of which nothing is known but that it read costs one more reading of the file: one that the drill
    killed did not say its own name.
    """
    record = record or run_record.read(history.of("run"))
    history.query(TABLES)
    if not record.consumers:
        history.query(EVERYBODY)
        found: tuple[Reader, ...] = (Reader(ALL, None),) if history.count(CONSUMED) else ()
    else:
        names = [str(row[0]) for row in history.query(NAMED)]
        if len(names) < history.number(f"select count(distinct p) from store.line where code = {CONSUMED}"):  # noqa: S608
            names = [name for name in history.consumers if name.startswith(CONSUMER)]
        killed = [fault.instance for fault in faults(history.of("fault")) if fault.group is None]
        found = of_names(record.consumers, names, [name for name in killed if name])
        for number, reader in enumerate(found):
            history.query(
                "insert into reader select $1::integer, (hash(unnest($2::varchar[])) >> 32)::uinteger",
                [number, list(reader.processes)],
            )
    for number, reader in enumerate(found):
        history.query("insert into subscribed values ($1, $2)", [number, reader.topic])
    return found


def reach(history: History) -> None:
    """Make the table ``reach``; that of :func:`readers` is there."""
    history.query(REACH)

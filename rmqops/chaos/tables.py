"""The tables that the checks ask, and the SQL that makes them from ``history.jsonl``.

The work is arranged so that its cost is the reading of the JSON, because the reading cannot be avoided:

1. One pass turns the lines into columns (``event``). Names and keys become hashes: process and queue 32 bits, key 64.
   Two names or two queues with one hash raise a false alarm, never a false pass; that a lost message hides behind
   another key has a chance of n/2^64, 5e-13 for ten million messages. Lines that are rare (all but sends, their
   acknowledgements and messages read) keep their fields in ``rest``.
2. ``message`` has one row for each key that was sent.
3. Each queue is cut into ranges of 1,024 offsets. A range is *settled* when the acknowledgements, every member's
   read-back, and each consumer that was there hold each offset of the range exactly once, and the same key at each:
   compared as sums of hashes, at next to no cost. What is settled can be neither lost, doubled, unexpected nor
   displaced, so the checks look, exactly, at the rest only: ``doubtful``, ``claimed``, ``stored``, ``seen``.

Times are microseconds, ``q`` is a queue (topic, group, number), ``p`` a process, ``o`` an offset, ``k`` a key.
"""

from __future__ import annotations

COLUMNS = {
    "t": "DOUBLE",
    "process": "VARCHAR",
    "op": "VARCHAR",
    "type": "VARCHAR",
    "topic": "VARCHAR",
    "broker": "VARCHAR",
    "queue": "INTEGER",
    "offset": "BIGINT",
    "key": "VARCHAR",
    "error": "VARCHAR",
    "address": "VARCHAR",
    "value": "VARCHAR",
}
"""The columns of a line; ``value`` stays JSON."""

LONGEST_LINE = 1 << 20
"""In bytes; DuckDB's buffers are twice this for each thread."""

RAW = f"""
create view raw as select * from read_json('{{jsonl}}', format = 'newline_delimited', maximum_object_size = {LONGEST_LINE},
    columns = {{{{{", ".join(f'"{name}": {kind!r}' for name, kind in COLUMNS.items())}}}}})
"""  # noqa: S608 - constants of this module

OTHER, INVOKED, ACKNOWLEDGED, REFUSED, INDETERMINATE, CONSUMED, DRAINED, MALFORMED = range(8)
"""``event.code``."""

LOAD = f"""
copy (
    select
        code,
        (t * 1e6)::bigint as t,
        (hash(process) >> 32)::uinteger as p,
        (hash(topic, broker, queue) >> 32)::uinteger as q,
        try_cast("offset" as uinteger) as o,
        hash(key) as k,
        case when code in ({INVOKED}, {ACKNOWLEDGED}, {CONSUMED}, {DRAINED}) and value is null then null
            else to_json({{{{
            'process': process, 'op': op, 'type': type, 'topic': topic, 'broker': broker, 'queue': queue,
            'offset': "offset", 'key': key, 'error': error, 'address': address, 'value': value
        }}}})::varchar end as rest
    from (
        select *, (case
            when t is null or t < 0 or process is null then {MALFORMED}
            when type = 'ok' and op in ('receive', 'send') then case
                when topic is null or broker is null or queue is null or key is null
                    or "offset" is null or "offset" < 0 or "offset" > 4294967295 then {MALFORMED}
                when op = 'send' then {ACKNOWLEDGED}
                when starts_with(process, 'drain-') then {DRAINED}
                else {CONSUMED} end
            when op = 'send' then case
                when key is null then {MALFORMED}
                when type = 'invoke' then {INVOKED}
                when type = 'fail' then {REFUSED}
                when type = 'info' then {INDETERMINATE}
                else {MALFORMED} end
            when op in ('receive', 'route', 'fault', 'heal') and type in ('invoke', 'ok', 'fail', 'info') then {OTHER}
            else {MALFORMED} end)::utinyint as code
        from raw
    )
) to '{{parquet}}' (format parquet, compression uncompressed)
"""  # noqa: S608 - constants of this module

VIEWS = f"""
create view event as
    select file_row_number + 1 as line, * exclude (file_row_number) from read_parquet('{{parquet}}', file_row_number = true);
create view acknowledged as select line, t, p, q, o, k from event where code = {ACKNOWLEDGED};
create view ended as select t, case code when {ACKNOWLEDGED} then 'ok' when {REFUSED} then 'fail' else 'info' end as type
    from event where code in ({ACKNOWLEDGED}, {REFUSED}, {INDETERMINATE});
create view consumed as select line, t, p, q, o, k from event where code = {CONSUMED};
create view drained as select line, t, p, q, o, k from event where code = {DRAINED};
create table drain (p uinteger, q uinteger, topic varchar, broker varchar, queue integer, ended bigint, t bigint, failed boolean);
create table name (p uinteger, process varchar);
"""  # noqa: S608 - constants of this module

MESSAGES = f"""
create table pair as
    select k, min(p) as p, min(t) as invoked, max(t) as ended, min(code) as first, max(code) as last, count(*) as lines,
        max(case when code = {ACKNOWLEDGED} then (q::ubigint << 32) | o end) as place
    from event where code in ({INVOKED}, {ACKNOWLEDGED}, {REFUSED}, {INDETERMINATE}) group by k;
create table message as
    select k, p, invoked, ended, last as outcome, 1 as attempts, (last = {ACKNOWLEDGED})::integer as acks, 1 as outcomes,
        (place >> 32)::uinteger as q, (place & 4294967295)::uinteger as o
    from pair where lines = 2 and first = {INVOKED} and last <> {INVOKED}
    union all
    select k, min(p), min(t) filter (code = {INVOKED}), max(t) filter (code <> {INVOKED}),
        case when bool_or(code = {ACKNOWLEDGED}) then {ACKNOWLEDGED}
            when bool_or(code = {INDETERMINATE}) or count(*) filter (code = {INVOKED}) > count(*) filter (code <> {INVOKED})
            then {INDETERMINATE} else {REFUSED} end,
        count(*) filter (code = {INVOKED}), count(*) filter (code = {ACKNOWLEDGED}), count(*) filter (code <> {INVOKED}),
        arg_min(q, line) filter (code = {ACKNOWLEDGED}), arg_min(o, line) filter (code = {ACKNOWLEDGED})
    from event semi join (select k from pair where not (lines = 2 and first = {INVOKED} and last <> {INVOKED})) using (k)
    where code in ({INVOKED}, {ACKNOWLEDGED}, {REFUSED}, {INDETERMINATE}) group by k;
drop table pair;
"""  # noqa: S608 - constants of this module

RANGES = f"""
create table range as
    select code, case when code = {ACKNOWLEDGED} then 0 else p end as p, q, o >> 10 as r, count(*) as n,
        sum(hash(o)) as offsets, sum(hash(k, o)) as content
    from event where code in ({ACKNOWLEDGED}, {CONSUMED}, {DRAINED}) group by all;
create table settled as
    with whole as (
        select r, sum(hash(((r::ubigint << 10) + i)::uinteger)) as offsets
        from (select distinct r from range where n = 1024), range(1024) as one(i) group by r
    ),
    members as (select q, count(distinct p) as n from drain group by q)
    select range.q, range.r from range join whole using (r) join members on range.q = members.q
    group by range.q, range.r
    having bool_and(range.n = 1024 and range.offsets = whole.offsets) and min(content) = max(content)
        and count(*) filter (code = {ACKNOWLEDGED}) = 1 and count(*) filter (code = {DRAINED}) = any_value(members.n);
create table claimed as
    select line, t, p, q, o, k from acknowledged a anti join settled s on a.q = s.q and a.o >> 10 = s.r;
create table doubtful as
    select * from message m where m.outcome <> {ACKNOWLEDGED} or m.acks > 1
    union all
    select m.* from message m anti join settled s on m.q = s.q and m.o >> 10 = s.r
    where m.outcome = {ACKNOWLEDGED} and m.acks = 1;
create table stored as
    select d.p, d.q, d.o, d.k from drained d anti join settled s on d.q = s.q and d.o >> 10 = s.r;
insert into stored select d.p, d.q, d.o, d.k from drained d
    semi join (select k from message where acks > 1) twice using (k)
    semi join settled s on d.q = s.q and d.o >> 10 = s.r;
create table seen as
    select c.line, c.t, c.p, c.q, c.o, c.k from consumed c anti join settled s on c.q = s.q and c.o >> 10 = s.r;
"""  # noqa: S608 - constants of this module

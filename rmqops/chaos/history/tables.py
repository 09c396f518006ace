"""The tables that the checks ask, and the SQL that makes them from ``history.jsonl``.

The work is arranged so that its cost is the reading of the JSON, because the reading cannot be avoided:

1. One pass turns the lines into columns (``event``), a batch into one row for each message. Names and keys become
   hashes: process and queue 32 bits, key 64. Two names or two queues with one hash raise a false alarm, never a
   false pass; that a lost message hides behind another key has a chance of n/2^64, 5e-13 for ten million messages.
   Lines that are rare (all but sends, their acknowledgements and messages read) keep their fields in ``rest``.
2. ``message`` has one row for each key that was sent; ``p`` is who had it acknowledged, if anybody had;
   ``storable`` counts the attempts that may have been stored, so all but refused ones; ``mixed`` says that more
   than one process has lines about it.
3. Each queue is cut into ranges of 1,024 offsets. A range is *settled* when the acknowledgements, every
   member's read-back, and each consumer that was there hold each offset of the range exactly once, and the
   same key at each: compared as sums of hashes, at next to no cost. What is settled can be neither lost,
   doubled, unexpected nor displaced, so the checks look, exactly, at the rest only: ``doubtful``,
   ``claimed``, ``stored``, ``seen``.

Times are microseconds, ``q`` is a queue (topic, group, number), ``p`` a process, ``o`` an offset, ``k`` a key,
``a`` the address that acknowledged.
"""

from __future__ import annotations

from rmqops.chaos.history.format import (
    ACKNOWLEDGED,
    ATTEMPTS,
    CONSUMED,
    DRAIN,
    DRAINED,
    FIELDS,
    INDETERMINATE,
    INVOKED,
    LARGEST_OFFSET,
    LONGEST_LINE,
    LONGEST_RUN,
    MALFORMED,
    OPS,
    OTHER,
    REFUSED,
    TYPES,
    columns,
    words,
)

RAW = f"""
create view raw as select * from read_json('{{jsonl}}',
    format = 'newline_delimited', maximum_object_size = {LONGEST_LINE}, columns = {{{{{columns()}}}}});
create view message_line as
    select * replace (
        unnest(coalesce(keys, [key])) as key, "offset" + unnest(range(coalesce(len(keys), 1))) as "offset"
    )
    from raw where op in ('send', 'receive')
"""  # noqa: S608 - constants of this module

LONGEST_BATCH = LONGEST_LINE
"""Messages in a line; each takes more than a byte."""

_REST = ", ".join(f"'{name}': \"{name}\"" for name in FIELDS if name not in ("t", "keys"))
LOAD = f"""
set force_compression = 'uncompressed';
attach '{{database}}' as store;
create table store.line as
    select
        code,
        (t * 1e6)::bigint as t,
        (hash(process) >> 32)::uinteger as p,
        (hash(topic, broker, queue) >> 32)::uinteger as q,
        try_cast("offset" as uinteger) as o,
        hash(key) as k,
        case when code = {ACKNOWLEDGED} then (hash(address) >> 32)::uinteger end as a,
        case when code = {DRAINED} then list_transform(keys, lambda each: hash(each)) end as ks,
        case when code in ({INVOKED}, {ACKNOWLEDGED}, {CONSUMED}, {DRAINED}) and value is null then null
            else to_json({{{{{_REST}}}}})::varchar end as rest
    from (
        select *, (case
            when t is null or t < 0 or not isfinite(t) or t > {LONGEST_RUN} or process is null then {MALFORMED}
            when value is not null and json_type(value) <> 'OBJECT' then {MALFORMED}
            when keys is not null and not (
                op = 'receive' and type = 'ok' and starts_with(process, '{DRAIN}') and key is null
                and len(keys) > 0 and list_count(keys) = len(keys) and "offset" + len(keys) - 1 <= {LARGEST_OFFSET}
            ) then {MALFORMED}
            when type = 'ok' and op in ('receive', 'send') then case
                when topic is null or broker is null or queue is null or (key is null and keys is null)
                    or "offset" is null or "offset" < 0 or "offset" > {LARGEST_OFFSET} then {MALFORMED}
                when op = 'send' then {ACKNOWLEDGED}
                when starts_with(process, '{DRAIN}') then {DRAINED}
                else {CONSUMED} end
            when op = 'send' then case
                when key is null then {MALFORMED}
                when type = 'invoke' then {INVOKED}
                when type = 'fail' then {REFUSED}
                when type = 'info' then {INDETERMINATE}
                else {MALFORMED} end
            when op in ({words(OPS)}) and type in ({words(TYPES)}) then {OTHER}
            else {MALFORMED} end)::utinyint as code
        from raw
    );
"""  # noqa: S608 - constants of this module

VIEWS = f"""
create view event as  -- its line is the order in the file, also within a batch
    select rowid * {LONGEST_BATCH} as line, code, t, p, q, o, k, rest from store.line where ks is null
    union all
    select line + i as line, {DRAINED} as code, t, p, q, (o + i)::uinteger as o, k, null as rest from (
        select rowid * {LONGEST_BATCH} as line, t, p, q, o, unnest(ks) as k, unnest(range(len(ks))) as i
        from store.line where ks is not null
    );
create view acknowledged as select line, t, p, q, o, k from event where code = {ACKNOWLEDGED};
create view ended as
    select t, case code when {ACKNOWLEDGED} then 'ok' when {REFUSED} then 'fail' else 'info' end as type
    from event where code in ({ACKNOWLEDGED}, {REFUSED}, {INDETERMINATE});
create view consumed as select line, t, p, q, o, k from event where code = {CONSUMED};
create view drained as select line, t, p, q, o, k from event where code = {DRAINED};
create table drain (
    p uinteger, q uinteger, topic varchar, broker varchar, queue integer, ended bigint, t bigint, failed boolean
);
create table name (p uinteger, process varchar);
create type outcome as enum ('acknowledged', 'refused', 'indeterminate');
create view retried as
    select k from event where code in ({ACKNOWLEDGED}, {REFUSED}, {INDETERMINATE}) and rest is not null
        and try_cast((rest ->> '$.value') ->> '$.{ATTEMPTS}' as integer) > 1;
create view unknown as  -- the first outcome of its key
    select distinct on (k) k, rest ->> '$.key' as key, rest ->> '$.process' as process,
        rest ->> '$.topic' as topic, rest ->> '$.error' as error
    from event where code = {INDETERMINATE} order by k, line;
"""  # noqa: S608 - constants of this module

SUMS = f"""
create table complete as
    with read_upto as (
            select p, q, max(o + coalesce(len(ks), 1)) as upto from store.line where code = {DRAINED} group by p, q
        ),
        last as (select q, max(t) as t from store.line where code = {ACKNOWLEDGED} group by q)
    select drain.p, drain.q,
        not failed and coalesce(upto, 0) >= drain.ended and coalesce(last.t <= drain.t, true) as complete
    from drain left join read_upto using (p, q) left join last using (q);
create table owner as select q, any_value(broker) as broker from drain group by q;
create table group_bin as  -- acknowledgements by the tenth of a second, of each group whose queues were read back
    select broker, t // 100000 as tenth, min(t) / 1e6 as first_ok, max(t) / 1e6 as last_ok, count(*) as ok
    from store.line join owner using (q) where code = {ACKNOWLEDGED} group by all;
create table bin as  -- outcomes of sends by the tenth of a second
    select t // 100000 as tenth, min(t) filter (type = 'ok') / 1e6 as first_ok,
        max(t) filter (type = 'ok') / 1e6 as last_ok, min(t) filter (type <> 'ok') / 1e6 as first_bad,
        max(t) filter (type <> 'ok') / 1e6 as last_bad, count(*) filter (type = 'ok') as ok,
        count(*) filter (type = 'fail') as fail, count(*) filter (type = 'info') as info
    from ended group by tenth;
"""  # noqa: S608 - constants of this module

RANGE_BITS = 10
"""A range has two to this many offsets."""

_SENDS = f"code in ({INVOKED}, {ACKNOWLEDGED}, {REFUSED}, {INDETERMINATE})"
_PLAIN = f"lines = 2 and first = {INVOKED} and last <> {INVOKED} and not mixed"
MESSAGES = f"""
create table pair as
    select k, min(case when code <> {INVOKED} then p end) as p, min(p) <> max(p) as mixed,
        min(case when code = {INVOKED} then t end) as invoked,
        max(case when code <> {INVOKED} then t end) as ended, min(code) as first, max(code) as last,
        count(*) as lines, max(case when code = {ACKNOWLEDGED} then (q::ubigint << 32) | o end) as place
    from event where {_SENDS} group by k;
create table message as
    select k, p, invoked, ended,
        case last when {ACKNOWLEDGED} then 'acknowledged' when {REFUSED} then 'refused' else 'indeterminate'
            end::outcome as outcome,
        1 as attempts, (last = {ACKNOWLEDGED})::integer as acks, 1 as outcomes,
        (last <> {REFUSED})::integer as storable, false as mixed,
        (place >> 32)::uinteger as q, (place & 4294967295)::uinteger as o
    from pair where {_PLAIN};
insert into message
    with each as (
        select k, coalesce(arg_min(p, line) filter (code = {ACKNOWLEDGED}), min(p)) as p,
            min(t) filter (code = {INVOKED}) as invoked,
            max(t) filter (code <> {INVOKED}) as ended, count(*) filter (code = {INVOKED}) as attempts,
            count(*) filter (code = {ACKNOWLEDGED}) as acks, count(*) filter (code = {INDETERMINATE}) as unknown,
            count(*) filter (code <> {INVOKED}) as outcomes, min(p) <> max(p) as mixed,
            arg_min(q, line) filter (code = {ACKNOWLEDGED}) as q,
            arg_min(o, line) filter (code = {ACKNOWLEDGED}) as o
        from event semi join (select k from pair where not ({_PLAIN})) using (k) where {_SENDS} group by k
    )
    select k, p, invoked, ended,
        case when acks > 0 then 'acknowledged' when unknown > 0 or attempts > outcomes then 'indeterminate'
            else 'refused' end,
        attempts, acks, outcomes, acks + unknown + greatest(attempts - outcomes, 0) as storable, mixed, q, o
    from each;
drop table pair;
create table flight as  -- sends that begin and end, by the tenth of a second
    select tenth, sum(begun)::bigint as begun, sum(done)::bigint as done from (
        select invoked // 100000 as tenth, count(*) as begun, 0 as done from message
            where invoked is not null group by all
        union all
        select ended // 100000 as tenth, 0 as begun, count(*) as done from message
            where invoked is not null and outcomes >= attempts group by all
    ) group by tenth;
"""  # noqa: S608 - constants of this module

RANGES = f"""
create table chunk as
    select code, case when code = {ACKNOWLEDGED} then 0 else p end as p, q, o >> {{bits}} as r, count(*) as n,
        sum(hash(o)) as offsets, sum(hash(k, o)) as content
    from event where code in ({ACKNOWLEDGED}, {CONSUMED}, {DRAINED}) group by all;
create table settled as
    with whole as (
        select r, sum(hash(((r::ubigint << {{bits}}) + i)::uinteger)) as offsets
        from (select distinct r from chunk where n = 1 << {{bits}}), range(1 << {{bits}}) as one(i) group by r
    ),
    members as (select q, count(distinct p) as n from drain group by q)
    select chunk.q, chunk.r from chunk join whole using (r) join members on chunk.q = members.q
    group by chunk.q, chunk.r
    having bool_and(chunk.n = 1 << {{bits}} and chunk.offsets = whole.offsets) and min(content) = max(content)
        and count(*) filter (code = {ACKNOWLEDGED}) = 1
        and count(*) filter (code = {DRAINED}) = any_value(members.n);
create table claimed as
    select line, t, p, q, o, k from acknowledged a anti join settled s on a.q = s.q and a.o >> {{bits}} = s.r;
create table doubtful as
    select * from message m where m.outcome <> 'acknowledged' or m.acks > 1
    union all
    select m.* from message m anti join settled s on m.q = s.q and m.o >> {{bits}} = s.r
    where m.outcome = 'acknowledged' and m.acks = 1;
create table stored as
    select d.p, d.q, d.o, d.k from drained d anti join settled s on d.q = s.q and d.o >> {{bits}} = s.r;
insert into stored select d.p, d.q, d.o, d.k from drained d
    semi join (select k from message where acks > 1) twice using (k)
    semi join settled s on d.q = s.q and d.o >> {{bits}} = s.r;
create table gap as  -- places that a member did not give back, though it was read to its end
    with kept as (select q, count(*) << {{bits}} as n from settled group by q),
        given as (
            select p, q, count(distinct o) as n from stored s
            where not exists (select 1 from settled z where z.q = s.q and z.r = s.o >> {{bits}}) group by all
        )
    select drain.p, drain.q, drain.ended - coalesce(kept.n, 0) - coalesce(given.n, 0) as missing
    from drain join complete using (p, q) left join kept using (q) left join given using (p, q)
    where complete and drain.ended > coalesce(kept.n, 0) + coalesce(given.n, 0);
create table seen as
    select c.line, c.t, c.p, c.q, c.o, c.k
    from consumed c anti join settled s on c.q = s.q and c.o >> {{bits}} = s.r;
"""  # noqa: S608 - constants of this module

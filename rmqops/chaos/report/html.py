"""``report.html``: one file that opens with no network and runs nothing that a broker wrote.

Keys, addresses and error texts are data from brokers and never markup. Jinja escapes every one of them, and the
page's script writes them as text nodes. Beyond that, a Content-Security-Policy lets no script or style run but the
page's own, which it names by digest, and lets no request leave.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from rmqops import __version__
from rmqops.chaos.history.fault_records import FaultRecord
from rmqops.chaos.history.format import instance_read_by
from rmqops.chaos.load.roster import client_words
from rmqops.chaos.report import words
from rmqops.chaos.report.lanes import GroupLanes
from rmqops.chaos.report.moments import MOMENT_LIMIT, moments
from rmqops.chaos.report.result import Result
from rmqops.chaos.report.timeline import Level, Timeline
from rmqops.chaos.verdicts.bounds import written
from rmqops.chaos.verdicts.verdict import Evidence

SCRIPTS = ("scales.js", "lag.js", "drawing.js", "moving.js")


def render(result: Result, timeline: Timeline) -> str:
    """Return the page."""
    style = asset("report.css")
    script = '"use strict";\n' + "\n".join(asset(name) for name in SCRIPTS)
    story = moments(timeline)
    steps = words.rto_steps(result)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            timeline=timeline,
            reason=words.reason(result),
            headline=_headline(result),
            figures=words.figures(result),
            checks=sorted(result.verdicts.results, key=lambda check: words.ORDER.index(check.verdict)),
            steps=steps,
            scale=max((step.at or 0 for step in steps), default=0) or 1,
            moments=story[:MOMENT_LIMIT],
            moments_left_out=max(0, len(story) - MOMENT_LIMIT),
            environment=_particulars(result, timeline),
            evidence_columns=evidence_columns,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            data=_data(result, timeline),
            policy=policy(style, script),
        )
    )


@cache
def asset(name: str) -> str:
    """Return a file that lies beside this one."""
    return files("rmqops.chaos.report").joinpath(name).read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """Return what renders the templates that lie beside this file."""
    made = Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        signs=words.SIGNS,
        dash=words.UNKNOWN,
        version=__version__,
        count=_count,
        duration=words.duration,
        second=words.second,
        number=words.number,
        label=words.label,
        sentence=words.sentence,
    )
    return made


def _count(value: int | None) -> str:
    return words.UNKNOWN if value is None else f"{value:,}"


def policy(style: str, script: str | None = None) -> str:
    """Return a Content-Security-Policy that lets nothing in but one style and one script."""
    scripts = "" if script is None else f"script-src {_digest(script)}; "
    return f"default-src 'none'; style-src {_digest(style)}; {scripts}base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _headline(result: Result) -> Iterator[str]:
    if result.version:
        yield f"RocketMQ {result.version}"
    yield words.clock(result.started)
    seconds = words.length(result)
    if seconds is not None:
        yield words.duration(seconds * 1000)
    yield f"seed {result.seed}"
    checks = result.verdicts.results
    yield f"{sum(check.verdict == 'pass' for check in checks)} of {len(checks)} checks passed"


def _particulars(result: Result, timeline: Timeline) -> Iterator[tuple[str, str]]:
    yield "drill", result.drill
    yield "inventory", result.inventory
    yield "RocketMQ", result.version or words.UNKNOWN
    yield "client", client_words(result.client)
    yield "rmqops", __version__
    yield "seed", str(result.seed)
    yield "started", words.clock(result.started)
    yield "ended", words.clock(result.ended)
    for name, value in result.settings.items():
        yield f"setting {words.label(name)}", written(name, value)
    for group in timeline.groups:
        for address in group.addresses:
            yield timeline.names.get(address, f"member of {group.name}"), address
        for lane in group.lanes:
            yield lane.nameserver, f"{len(lane.segments):,} answers about {group.name}"


def _data(result: Result, timeline: Timeline) -> Markup:
    """Return what the script draws, as JSON that cannot end the element it stands in."""
    document = {
        "end": max(timeline.end, 0.001),
        "levels": [_level(level) for level in timeline.levels],
        "groups": [_group(group, timeline) for group in timeline.groups],
        "lag": asdict(timeline.lag),
        "faults": list(_bands(result)),
        "steps": list(_steps(result)),
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def _bands(result: Result) -> Iterator[dict[str, object]]:
    """Return what is drawn of the faults: those of one phase and kind are one band that names them all."""
    bands: dict[tuple[int, str], list[FaultRecord]] = {}
    for fault in result.verdicts.faults:
        if fault.injected_at is not None:
            bands.setdefault((fault.phase, fault.kind), []).append(fault)
    for (_, kind), faults in bands.items():
        healed = [fault.healed_at for fault in faults]
        targets = dict.fromkeys(fault.target for fault in faults)
        named = ", ".join(dict.fromkeys(filter(None, (fault.instance for fault in faults))))
        unseen = [fault.instance or fault.target for fault in faults if not fault.verified]
        yield {
            "from": min(fault.injected_at for fault in faults if fault.injected_at is not None),
            "to": None if None in healed else max(at for at in healed if at is not None),
            "label": " ".join(filter(None, (kind, *(targets if len(targets) == 1 else ()), named)))
            + (f", {', '.join(unseen)} not seen to bite" if unseen else ""),
        }


def _steps(result: Result) -> Iterator[dict[str, object]]:
    """Place the parts of the RTO in time, where there is one fault that they can be counted from."""
    injected = [fault.injected_at for fault in result.verdicts.faults if fault.injected_at is not None]
    if len(injected) != 1:
        return
    for place, step in enumerate(words.rto_steps(result), 1):
        if step.at is not None:
            yield {"t": injected[0] + step.at / 1000, "number": place, "label": step.label}


def _level(level: Level) -> dict[str, object]:
    return {name: getattr(level, name) for name in Level.__dataclass_fields__}


def _group(group: GroupLanes, timeline: Timeline) -> dict[str, object]:
    return {
        "name": group.name,
        "members": [
            {"name": timeline.names.get(address, address), "address": address} for address in group.addresses
        ],
        "lanes": [
            {
                "nameserver": lane.nameserver,
                "segments": [[round(each.start, 3), round(each.end, 3), each.state] for each in lane.segments],
            }
            for lane in group.lanes
        ],
    }


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of evidence."""

    title: str
    text: Callable[[Evidence], str]
    style: str = ""


def _times(item: Evidence) -> str:
    if item.t is None:
        return ""
    return words.second(item.t) if item.ended is None else f"{item.t:.3f} to {words.second(item.ended)}"


def _place(item: Evidence) -> str:
    parts = [item.broker]
    parts += [f"queue {item.queue}" if item.queue is not None else None]
    parts += [f"offset {item.offset}" if item.offset is not None else None]
    return ", ".join(part for part in parts if part)


def _joined(values: Sequence[str]) -> str:
    """Name readers; a read-back by the member that it read from."""
    return ", ".join(map(instance_read_by, values))


COLUMNS = (
    Column("what", lambda item: item.note, "note"),
    Column("message", lambda item: item.key or "", "code key"),
    Column("sent by", lambda item: item.process or "", "short"),
    Column("when", _times, "short"),
    Column("topic", lambda item: item.topic or "", "short"),
    Column("where", _place, "short"),
    Column("acknowledged by", lambda item: item.address or "", "code"),
    Column("read by", lambda item: _joined(item.found), "list"),
    Column("missing from", lambda item: _joined(item.missing), "list"),
)


def evidence_columns(evidence: Iterable[Evidence]) -> tuple[Column, ...]:
    """Return the columns that have anything to say about this evidence; a topic only where there are several."""
    items = tuple(evidence)
    texts = {column: {column.text(item) for item in items} for column in COLUMNS}
    return tuple(
        column
        for column in COLUMNS
        if texts[column] != {""} and (column.title != "topic" or len(texts[column]) > 1)
    )

"""The story of a drill in words: what was done, and each change of what a NameServer answered. PURE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rmqops.chaos.history.format import RECOVERED
from rmqops.chaos.report.lanes import NO_ANSWER, GroupLanes, Lane
from rmqops.chaos.report.timeline import Milestone, Timeline

MOMENT_LIMIT = 150
"""How many moments a page tells; the others are in the history."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the story; ``t`` is seconds since the start, ``tone`` is ``fault``, ``heal`` or ``route``."""

    t: float
    who: str
    what: str
    tone: str


def moments(timeline: Timeline) -> tuple[Moment, ...]:
    """Return the story in order of time."""
    story = [_act(milestone) for milestone in timeline.milestones]
    for group in timeline.groups:
        for lane in group.lanes:
            story.extend(_changes(group, lane, timeline.names))
    return tuple(sorted(story, key=lambda moment: moment.t))


def _act(milestone: Milestone) -> Moment:
    step = (milestone.op, milestone.kind == RECOVERED, milestone.type)
    what = _WORDS.get(step, f"{milestone.op} {milestone.type}")
    on = milestone.instance or milestone.address
    about = "" if milestone.kind == RECOVERED else milestone.kind + (f" {on}" if on else "")
    parts = (f"{about}: {what}" if about else what, milestone.error)
    return Moment(milestone.t, "the drill", ": ".join(part for part in parts if part), milestone.op)


_WORDS = {  # by op, whether it is the cluster's recovery, and type
    ("fault", False, "invoke"): "fault injected",
    ("fault", False, "ok"): "seen to bite",
    ("fault", False, "fail"): "did not bite",
    ("fault", False, "info"): "nobody can tell whether it bit",
    ("heal", False, "invoke"): "heal begins",
    ("heal", False, "ok"): "seen healed",
    ("heal", False, "fail"): "the heal failed",
    ("heal", False, "info"): "nobody can tell whether it is healed",
    ("heal", True, "invoke"): "waits for the cluster to be healthy",
    ("heal", True, "ok"): "the cluster is healthy again",
    ("heal", True, "fail"): "the cluster is not healthy again",
    ("heal", True, "info"): "nobody can tell whether the cluster is healthy",
}


def _changes(group: GroupLanes, lane: Lane, names: dict[str, str]) -> Iterator[Moment]:
    members = [names.get(address, address) for address in group.addresses]
    before: str | None = None
    for segment in lane.segments:
        if segment.state != before:
            yield Moment(segment.start, lane.nameserver, _answer(group.name, members, segment.state), "route")
        before = segment.state


def _answer(group: str, members: list[str], state: str) -> str:
    if state == NO_ANSWER:
        return f"no answer about {group}"
    roles = {role: [name for name, each in zip(members, state, strict=True) if each == role] for role in "msa"}
    parts = [f"master {roles['m'][0]}" if roles["m"] else "no master"]
    parts += [f"slaves {', '.join(roles['s'])}"] if roles["s"] else ["no slave"]
    parts += [f"absent {', '.join(roles['a'])}"] if roles["a"] else []
    return f"{group}: " + "; ".join(parts)

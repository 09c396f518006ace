"""The clock, against those of the other machines.

Messages carry the time of the broker that stored them: delayed delivery, offsets by time and expiry go by it,
and a new master goes on with its own clock. The bounds come with each answer
(:func:`rmqops.operations.hosts.sections.clock`), so a slow network makes the answer vague and not wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Survey, failed, ok, unknown, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer

SUMMARY = "The clock agrees with the other machines', measured with bounds by the way."
WARNING, FAILED = 1.0, 10.0
"""Seconds. Delayed messages and expiry count in seconds and more; clients' time-outs do not depend on it."""
REMEDY = "Let chrony or systemd-timesyncd set the clock"


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Ask nothing: the clock comes with every answer."""
    yield from ()


def judge(machine: Machine, _answers: tuple[Answer, ...], survey: Survey) -> Iterator[Finding]:
    """Hold the least that the clock can be off against the median of all, ours included."""
    if machine.local:
        return  # it is the clock that the others are held against
    wanted = f"within {WARNING:g} s of the other machines"
    if machine.name not in survey.clocks:
        yield unknown("it told no time", wanted, "Look with `date`")
        return
    low, high = survey.clocks[machine.name]
    middle = _median(survey)
    low, high = low - middle, high - middle
    least = max(0.0, low, -high)
    found = f"{(low + high) / 2:+.3f} s, ± {(high - low) / 2:.3f} s"
    if least > FAILED:
        yield failed(found, wanted, REMEDY)
    elif least > WARNING:
        yield warning(found, wanted, REMEDY)
    elif max(-low, high) > WARNING and high - low > 2 * WARNING:
        yield unknown(found, wanted, "The machine answers too slowly to tell; try again")
    else:
        yield ok(found, wanted)


def _median(survey: Survey) -> float:
    """Return what most clocks say, against ours; of two in the middle the one that is nearer to ours."""
    offsets = sorted([0.0, *((low + high) / 2 for low, high in survey.clocks.values())])
    return min(offsets[(len(offsets) - 1) // 2], offsets[len(offsets) // 2], key=abs)

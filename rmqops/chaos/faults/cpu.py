"""Somebody else takes the host's processors: loops that never rest, at the usual priority.

It imitates a neighbour, a backup or a runaway job. With more loops than processors everybody waits for their
turn; nobody is stopped altogether, as they are by ``pause``, and memory and disk stay free.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import stressors
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "busy loops take the host's processors; healed by ending them"
OPTIONS = {
    "processes": Option(
        2, "how many loops; as many as the host has processors leaves half of them", low=1, high=64
    ),
    "bound": stressors.BOUND,
}

# $1 loops, $2 seconds. The loops are forks, so they have the mark on their command lines as well.
_BURN = """
loops=0
while [ "$loops" -lt "$1" ]; do
  (while :; do :; done) &
  loops=$((loops + 1))
done
sleep "$2"
kill -s KILL 0
"""

# $1 mark, $2 loops, $3 tries. Fields 14 and 15 of a process are its time in hundredths of a second; they are
# counted from behind the name, which may have blanks. A fifth of a second is more than starting the loops takes.
_VERIFY = (
    stressors.FIND
    + """
used() {
  for pid in $(helpers "$1"); do sed 's/.*) //' "/proc/$pid/stat" 2> /dev/null; done \\
    | awk '{ ticks += $12 + $13 } END { print ticks + 0 }'
}
before=$(used "$1") tries=0
until [ "$(helpers "$1" | wc -l)" -gt "$2" ] && [ "$(used "$1")" -gt $((before + 20)) ]; do
  [ "$tries" -lt "$3" ] || { echo "the loops of $1 get no processor time" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.1
done
"""
)


def requires(aim: Aim) -> Command:
    """Probe the process; everybody may burn time."""
    return Command.shell(stressors.PROBE, aim.instance.home)


def plan(aim: Aim, _found: str) -> FaultPlan:
    """Return the plan."""
    loops = f"{aim.number('processes'):.0f}"
    seconds = stressors.VERIFY_SECONDS
    return FaultPlan(
        inject=stressors.start(aim, _BURN, loops),
        verify=Command.shell(_VERIFY, stressors.mark(aim), loops, str(seconds * 10), timeout=seconds * 4),
        heal=stressors.heal(aim),
        healed=stressors.healed(aim),
    )

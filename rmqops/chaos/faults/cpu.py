"""Somebody else takes the host's processors: loops that never rest, at the usual priority.

It imitates a neighbour, a backup or a runaway job. With more loops than processors everybody waits for their
turn; nobody is stopped altogether, as they are by ``pause``, and memory and disk stay free.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, stressors
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

# $1 mark, $2 loops. Fields 14 and 15 of a process are its time in hundredths of a second; they are counted from
# behind the name, which may have blanks. A fifth of a second is more than starting the loops takes. The loops are
# looked for among all processes until they are there, and from then on their times alone are read.
_VERIFY = (
    stressors.FIND
    + """
there() {
  stats=$(helpers "$1" | sed 's,.*,/proc/&/stat,')
  [ "$(echo "$stats" | wc -l)" -gt "$2" ]
}
# shellcheck disable=SC2086
used() { cat $stats 2> /dev/null | awk '{ sub(/.*\\) /, ""); ticks += $12 + $13 } END { print ticks + 0 }'; }
busy() { [ "$(used)" -gt $((before + 20)) ]; }
wait_until there "$1" "$2" || { echo "the $2 loops of $1 are not there" >&2; exit 1; }
before=$(used)
wait_until busy || { echo "the loops of $1 get no processor time" >&2; exit 1; }
"""
)


def requires(aim: Aim) -> Command:
    """Probe the process; everybody may burn time."""
    return Command.shell(stressors.PROBE, aim.instance.home)


def plan(aim: Aim, _probe_output: str) -> FaultPlan:
    """Return the plan."""
    loops = f"{aim.number('processes'):.0f}"
    return FaultPlan(
        inject=stressors.start(aim, _BURN, loops),
        verify=bounded_wait.command(_VERIFY, stressors.mark(aim), loops, seconds=stressors.VERIFY_SECONDS),
        heal=stressors.heal(aim),
        healed=stressors.healed(aim),
    )

"""The process stands still with its sockets open, as in a long collection of garbage or on a machine without time.

STOP, and CONT to heal. The kernel goes on to accept connections and to acknowledge packets for it, so nobody is
told of anything: peers find out by their own time-outs, a NameServer after 120 s.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import processes
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "STOP to the process, its sockets stay open; healed by CONT"
OPTIONS: dict[str, Option] = {}

# The state is what follows the name in parentheses; T is stopped by a signal.
_STATE = """
state() { sed 's/.*) \\(.\\).*/\\1/' "/proc/$1/stat" 2>/dev/null; }
"""

_VERIFY = (
    _STATE
    + """
tries=0
until [ "$(state "$1")" = T ]; do
  [ "$tries" -lt "$2" ] || { echo "process $1 is not stopped but $(state "$1")" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.01
done
"""
)

# One that died meanwhile is started, because it ran before.
_HEAL = """
if pid=$("$1/current/bin/pid.sh"); then kill -s CONT "$pid"; else "$1/current/bin/start.sh"; fi
"""

_HEALED = (
    _STATE
    + """
pid=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
tries=0
while [ "$(state "$pid")" = T ]; do
  [ "$tries" -lt "$2" ] || { echo "process $pid is stopped still" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.01
done
"""
)


def requires(aim: Aim) -> Command:
    """Probe the process."""
    return processes.probe(aim.instance)


def plan(aim: Aim, found: str) -> FaultPlan:
    """Return the plan; ``found`` is the process id."""
    pid, tries = found.strip(), str(processes.VERIFY_SECONDS * 100)
    return FaultPlan(
        inject=processes.signal(aim.instance, pid, "STOP"),
        verify=Command.shell(_VERIFY, pid, tries, timeout=processes.VERIFY_SECONDS * 4),
        heal=Command.shell(_HEAL, aim.instance.home, timeout=processes.start(aim.instance).timeout),
        healed=Command.shell(_HEALED, aim.instance.home, tries, timeout=processes.VERIFY_SECONDS * 4),
    )

"""The process stands still with its sockets open, as in a long collection of garbage or on a machine without time.

STOP, and CONT to heal. The kernel goes on to accept connections and to acknowledge packets for it, so nobody is
told of anything: peers find out by their own time-outs, a NameServer after 120 s.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, processes
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "STOP to the process, its sockets stay open; healed by CONT"
OPTIONS: dict[str, Option] = {}

# The state is what follows the name in parentheses; T is stopped by a signal.
_STATE = """
state() { sed 's/.*) \\(.\\).*/\\1/' "/proc/$1/stat" 2>/dev/null; }
stopped() { [ "$(state "$1")" = T ]; }
"""

_VERIFY = (
    _STATE
    + """
wait_until stopped "$1" || { echo "process $1 is not stopped but $(state "$1")" >&2; exit 1; }
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
going() { ! stopped "$pid"; }
wait_until going || { echo "process $pid is stopped still" >&2; exit 1; }
"""
)


def requires(aim: Aim) -> Command:
    """Probe the process."""
    return processes.probe(aim.instance)


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` is the process id."""
    pid, seconds = probe_output.strip(), processes.VERIFY_SECONDS
    return FaultPlan(
        inject=processes.signal(aim.instance, pid, "STOP"),
        verify=bounded_wait.command(_VERIFY, pid, seconds=seconds),
        heal=Command.shell(_HEAL, aim.instance.home, timeout=processes.start(aim.instance).timeout),
        healed=bounded_wait.command(_HEALED, aim.instance.home, seconds=seconds),
    )

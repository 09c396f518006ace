"""What the faults that burden a host have in common: helpers, processes of our own that bear the burden. PURE.

A helper is a shell in a session of its own, known by its command line alone, which has
``-Drmqops.fault=<instance directory>/<fault>``; what it starts stays in its process group. Where systemd runs and
we are root, it stands in a transient unit as well, so that it has a cgroup of its own and systemd ends it
(``RuntimeMaxSec=``); else ``nohup`` keeps it. In both cases it ends by itself when its bound has passed, whatever
becomes of rmqops and of the heal.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, process_marks
from rmqops.chaos.mechanisms.plan import Aim, Option
from rmqops.model.commands import Command

BOUND = Option(600, "seconds after which it ends by itself, should nobody have healed it", low=10, high=86_400)
START_SECONDS = 10
"""How long a helper may take to be there, and how long to be gone."""
VERIFY_SECONDS = 10
"""How long the effect may take; memory is taken at some gigabytes per second, on a machine that is at work."""

# `helpers` prints the pid of each of our processes, not of a grep. An instance that is dead is the fault's
# doing.
FIND = f"""{process_marks.BEARERS}
helpers() {{ bearers "-Drmqops.fault=$1"; }}
"""

PROBE = """
"$1/current/bin/pid.sh" > /dev/null || { echo "$1 does not run" >&2; exit 1; }
command -v setsid > /dev/null || { echo "there is no setsid" >&2; exit 1; }
"""

# $1 mark, $2 unit, $3 seconds, $4 script of the helper, $5 a property of the unit or nothing, $6 … what the
# script is given. systemd puts variables of its own in place of $1, so each $ is doubled for it.
START = (
    FIND
    + """
[ -z "$(helpers "$1")" ] || { echo "$1 is in force already" >&2; exit 1; }
mark=$1 unit=$2 seconds=$3 script=$4 property=$5 pid=
double() { printf '%s\\n' "$1" | sed 's/\\$/$$/g'; }
shift 5
if [ "$(id -u)" = 0 ] && [ -d /run/systemd/system ] && command -v systemd-run > /dev/null; then
  systemd-run --quiet --collect --unit "$unit" --description "a fault of rmqops chaos" \\
    -p TimeoutStopSec=5 -p "RuntimeMaxSec=$((seconds + 5))" ${property:+-p "$property"} \\
    /bin/sh -c "$(double "$script")" rmqops "$@" "$seconds" "-Drmqops.fault=$(double "$mark")" || exit 1
else
  setsid nohup /bin/sh -c "$script" rmqops "$@" "$seconds" "-Drmqops.fault=$mark" > /dev/null 2>&1 < /dev/null &
  pid=$!
fi
there() { bears "$pid" "-Drmqops.fault=$mark" || [ -n "$(helpers "$mark")" ]; }
wait_until there || { echo "the helper of $mark did not start" >&2; exit 1; }
"""
)

# $1 mark, $2 unit, $3 instance directory
_HEAL = (
    FIND
    + """
if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ]; then
  systemctl kill --signal=KILL "$2" 2> /dev/null
  systemctl stop "$2" 2> /dev/null
  systemctl reset-failed "$2" 2> /dev/null
fi
ended() {
  pids=$(helpers "$1")
  [ -n "$pids" ] || return 0
  for pid in $pids; do kill -s KILL -- "-$pid" 2> /dev/null; kill -s KILL "$pid" 2> /dev/null; done
  return 1
}
wait_until ended "$1" || { echo "a helper of $1 cannot be ended" >&2; exit 1; }
"$3/current/bin/pid.sh" > /dev/null || "$3/current/bin/start.sh"
"""
)

_HEALED = (
    FIND
    + """
[ -z "$(helpers "$1")" ] || { echo "a helper of $1 is there still" >&2; exit 1; }
if [ -d /run/systemd/system ] && systemctl is-active --quiet "$2"; then
  echo "the unit $2 is there still" >&2
  exit 1
fi
"$3/current/bin/pid.sh" > /dev/null || { echo "$3 does not run" >&2; exit 1; }
"""
)


def mark(aim: Aim) -> str:
    """Name the fault on its host, as it stands in the command lines of its helpers."""
    return f"{aim.instance.home}/{aim.fault}"


def unit(aim: Aim) -> str:
    """Name the fault's transient unit; a strike's id is unique on its host."""
    return f"rmqops-fault-{aim.instance.name}-{aim.fault}.service"


def start(aim: Aim, script: str, *arguments: str, limit: str = "") -> Command:
    """Return a Command that starts a helper and exits 0 when it was seen.

    Args:
        aim: Whose fault.
        script: Run by ``/bin/sh`` with the arguments, and after them the bound in seconds.
        arguments: What the script is given as ``$1``, ``$2`` ….
        limit: A property of its unit, such as ``MemoryMax=1G``.
    """
    seconds = f"{aim.number('bound'):.0f}"
    given = (mark(aim), unit(aim), seconds, script, limit, *arguments)
    return bounded_wait.command(START, *given, seconds=START_SECONDS)


def heal(aim: Aim) -> Command:
    """Return a Command that ends the helpers, and starts an instance that has died, because it ran before."""
    work = aim.instance.number("rocketmq_start_timeout")
    return bounded_wait.command(_HEAL, mark(aim), unit(aim), aim.instance.home, seconds=START_SECONDS, work=work)


def healed(aim: Aim) -> Command:
    """Return a Command that exits 0 only when no helper and no unit is left and the instance runs."""
    return Command.shell(_HEALED, mark(aim), unit(aim), aim.instance.home)

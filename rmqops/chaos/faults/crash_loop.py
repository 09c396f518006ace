"""The process dies again and again, as of a fault that meets it at every start: ``kill -9`` every few seconds.

Who starts it again is its supervisor: a systemd unit, 5 s after each death and five times at most
(``StartLimitBurst``), after which it stays down until the heal. Where there is no supervisor the loop starts it
itself. The loop is a session of its own on the host, known by its command line alone
(``-Drmqops.loop=<fault>``); it ends by itself after an hour.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import process_marks, processes
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "kill -9 of the process every few seconds; healed by ending that and starting it again"
OPTIONS = {"every": Option(5, "seconds from one look for the process to the next", low=1, high=60)}

HOUR = 3600
VERIFY_SECONDS = 60
"""How long the process may take to come back for its second death, besides twice the option."""

# Prints a process of the loop $1: one that has the mark as a word of its command line, as nobody else has.
_FIND = f"""{process_marks.BEARERS}
loop() {{ bearers "-Drmqops.loop=$1" | head -n 1; }}
"""

# $1 home, $2 seconds, $3 rounds, $4 the file of the pids that were killed, $5 who starts it again
_LOOP = """
round=0
while [ "$round" -lt "$3" ]; do
  round=$((round + 1))
  if pid=$("$1/current/bin/pid.sh"); then
    kill -s KILL "$pid" && echo "$pid" >> "$4"
  elif [ "$5" = detached ]; then
    "$1/current/bin/start.sh" > /dev/null 2>&1 &
  fi
  sleep "$2"
done
"""

# $1 home, $2 seconds, $3 rounds, $4 the file, $5 who starts it again, $6 its name, $7 the loop
_INJECT = (
    _FIND
    + """
[ -z "$(loop "$6")" ] || { echo "the loop $6 is there already" >&2; exit 1; }
: > "$4" || exit 1
setsid nohup /bin/sh -c "$7" rmqops "$1" "$2" "$3" "$4" "$5" "-Drmqops.loop=$6" > /dev/null 2>&1 < /dev/null &
tries=0
until [ -n "$(loop "$6")" ]; do
  [ "$tries" -lt 100 ] || { echo "the loop $6 could not be started" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.02
done
"""
)

# $1 the file, $2 tenths of a second
_VERIFY = """
tries=0
until [ "$(sort -u "$1" | wc -l)" -ge 2 ]; do
  [ "$tries" -lt "$2" ] || { echo "killed only $(wc -l < "$1") times" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.1
done
"""

# $1 home, $2 the file, $3 its name. The loop's shell is stopped, so that it starts nothing more, and all of its
# session go with it: one may be about to start the process, or hold the lock of start.sh.
_HEAL = (
    _FIND
    + """
marked() { tr '\\0' '\\n' < "/proc/$2/cmdline" | grep -Fqx -e "-Drmqops.loop=$1"; } 2> /dev/null
session() { sed 's/.*) [^ ]* [^ ]* [^ ]* \\([^ ]*\\).*/\\1/' "/proc/$1/stat" 2> /dev/null; }
others() {
  cat /proc/[0-9]*/stat 2> /dev/null |
    awk -v sid="$1" '{ pid = $1; sub(/.*\\) /, ""); if ($4 == sid && pid != sid && $1 != "Z") print pid }'
}
tries=0
while pid=$(loop "$3") && [ -n "$pid" ]; do
  [ "$tries" -lt 200 ] || { echo "the loop $3 does not end" >&2; exit 1; }
  tries=$((tries + 1))
  sid=$(session "$pid")
  # One that is only about to become the loop has the session of who starts it, which is not ours to end.
  marked "$3" "$sid" || sid=$pid
  kill -s STOP "$sid" 2> /dev/null
  found=$(others "$sid")
  # shellcheck disable=SC2086
  if [ -n "$found" ]; then kill -s KILL $found 2> /dev/null; else kill -s KILL "$sid" 2> /dev/null; fi
  sleep 0.02
done
rm -f "$2" && exec "$1/current/bin/start.sh"
"""
)

_HEALED = (
    _FIND
    + """
[ -z "$(loop "$3")" ] || { echo "the loop $3 runs still" >&2; exit 1; }
[ ! -e "$2" ] || { echo "$2 is there still" >&2; exit 1; }
"$1/current/bin/pid.sh"
"""
)


def requires(aim: Aim) -> Command:
    """Probe the process."""
    return processes.probe(aim.instance)


def plan(aim: Aim, _found: str) -> FaultPlan:
    """Return the plan; every process of the instance is a victim, whatever its id."""
    instance, every = aim.instance, aim.number("every")
    home, supervisor = instance.home, instance.supervisor
    killed, name = f"{home}/run/{aim.fault}.killed", f"{home}/{aim.fault}"
    rounds = str(int(HOUR / every))
    wait = 2 * every + VERIFY_SECONDS
    return FaultPlan(
        inject=Command.shell(_INJECT, home, f"{every:g}", rounds, killed, supervisor, name, _LOOP),
        verify=Command.shell(_VERIFY, killed, f"{wait * 10:.0f}", timeout=wait * 3),
        heal=Command.shell(_HEAL, home, killed, name, timeout=processes.start(instance).timeout + 10),
        healed=Command.shell(_HEALED, home, killed, name),
    )
